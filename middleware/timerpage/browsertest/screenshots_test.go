package browsertest

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

var shots = flag.String("screenshots", "", "the address of a running examples/monitor, to take the pictures in docs from")

// TestScreenshots takes the pictures of docs/page.md, if asked to.
func TestScreenshots(t *testing.T) {
	if *shots == "" {
		t.Skip("takes pictures with -screenshots http://127.0.0.1:8028, the address of a running examples/monitor")
	}
	needBrowser(t)
	s := &site{T: t, url: strings.TrimSuffix(*shots, "/") + "/"}
	for _, shot := range []struct {
		name, path, scheme string
		width              int64
	}{
		{"calls", "", "light", 1100},
		{"call", "", "light", 1100},
		{"totals", "totals", "dark", 1100},
		{"nodes", "nodes", "light", 1100},
		{"phone", "", "dark", 390},
	} {
		b := s.open(shot.path)
		b.size(shot.width, shot.scheme)
		b.await(`document.querySelector("#state").textContent === "live"`)
		if shot.name == "call" {
			const unplugged = `Array.from(document.querySelectorAll("tr:has(.condition.bad)")).find((r) => r.innerText.includes("unplugged"))`
			b.await(unplugged + " !== undefined")
			b.do(chromedp.Navigate(b.eval(unplugged + `.querySelector("a").href`)))
			b.await(`document.querySelector("#state").textContent === "live"`)
		}
		picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		keep(t, filepath.Join("../../../docs", "page-"+shot.name+".png"), picture)
	}
}

// keep writes a picture with its 256 most frequent colours, which makes it small.
func keep(t *testing.T, name string, picture []byte) {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[color.Color]int)
	for y := range full.Bounds().Dy() {
		for x := range full.Bounds().Dx() {
			counts[full.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	small := image.NewPaletted(full.Bounds(), colours[:min(len(colours), 256)])
	draw.Draw(small, small.Bounds(), full, image.Point{}, draw.Src)
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, small); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func contains(text string, all ...string) bool {
	for _, s := range all {
		if !strings.Contains(text, s) {
			return false
		}
	}
	return true
}
