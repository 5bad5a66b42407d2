package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// The dimensions of the drawing: two panels, one above the other.
const (
	plotWidth, plotHeight = 800, 460
	panelLeft, panelWidth = 70, 700
	panelHeight           = 150
)

// panel is one curve over the seconds of a run.
type panel struct {
	title, color string
	top          int
	value        func(sample) float64
}

var panels = []panel{
	{"refreshes a second", "#2563eb", 50, func(s sample) float64 { return float64(s.refreshes) }},
	{"lateness of refreshes, p99, in ms", "#d97706", 260, func(s sample) float64 { return s.p99.Seconds() * 1000 }},
}

// writeSVG draws the samples.
func writeSVG(w io.Writer, samples []sample) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		plotWidth, plotHeight, plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", plotWidth, plotHeight)
	end := time.Second
	if len(samples) > 0 {
		end = max(end, samples[len(samples)-1].at)
	}
	for _, p := range panels {
		p.draw(&b, samples, end)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle" fill="#374151">seconds since the first call</text>`+"\n</svg>\n", panelLeft+panelWidth/2, plotHeight-12)
	_, err := io.WriteString(w, b.String())
	return err
}

func (p panel) draw(b *strings.Builder, samples []sample, end time.Duration) {
	top, bottom := p.top, p.top+panelHeight
	high := 1.0
	for _, s := range samples {
		high = max(high, p.value(s))
	}
	high = roundUp(high, 1, 2, 4, 8)
	fmt.Fprintf(b, `<text x="%d" y="%d" fill="#111827" font-weight="bold">%s</text>`+"\n", panelLeft, top-12, p.title)
	for i := range 5 {
		y := bottom - i*panelHeight/4
		fmt.Fprintf(b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#e5e7eb"/>`, panelLeft, y, panelLeft+panelWidth, y)
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" fill="#374151">%g</text>`+"\n", panelLeft-8, y+4, high*float64(i)/4)
	}
	step := roundUp(end.Seconds()/8, 1, 2, 5)
	for at := 0.0; at <= end.Seconds(); at += step {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#374151">%g</text>`+"\n", panelLeft+panelWidth*at/end.Seconds(), bottom+18, at)
	}
	points := make([]string, len(samples))
	for i, s := range samples {
		x := panelLeft + float64(panelWidth)*s.at.Seconds()/end.Seconds()
		points[i] = fmt.Sprintf("%.1f,%.1f", x, float64(bottom)-panelHeight*max(0, p.value(s))/high)
	}
	fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>`+"\n", p.color, strings.Join(points, " "))
}

// roundUp returns the next of some multiples of a power of ten.
func roundUp(v float64, multiples ...float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range multiples {
		if v <= f*power {
			return f * power
		}
	}
	return 10 * power
}
