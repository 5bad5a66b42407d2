package timerpage

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"
)

//go:embed page.html page.css page.js
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"clock":  clock,
	"link":   link,
	"method": methodName,
	"ms":     time.Time.UnixMilli,
	"party":  partyName,
}).ParseFS(files, "page.html"))

// asset serves the files of the page. It returns false if there is none of that name.
func asset(w http.ResponseWriter, r *http.Request, name string) bool {
	if name != "page.css" && name != "page.js" {
		return false
	}
	http.ServeFileFS(w, r, files, name)
	return true
}

// frame is the page around a view.
type frame struct {
	Title string
	View  string
	Now   time.Time
	Nodes bool   // there is a view of them
	Live  string // where updates of the view come from; empty if there are none
	Body  template.HTML
}

// fragment is a view without the page around it.
func (p *Page) fragment(ctx context.Context, q query) (string, error) {
	m, err := p.model(ctx, q)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = templates.ExecuteTemplate(&b, q.view, m)
	return b.String(), err
}

func (p *Page) serveHTML(w http.ResponseWriter, r *http.Request, q query) {
	body, err := p.fragment(r.Context(), q)
	if refused(w, r, err) {
		return
	}
	f := frame{Title: titles[q.view], View: q.view, Now: time.Now(), Nodes: p.timers.Stats().Node != nil, Body: template.HTML(body)}
	if q.search == "" {
		f.Live = q.view + ".events?" + r.URL.RawQuery
	}
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, "page", f); refused(w, r, err) {
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

var titles = map[string]string{"calls": "Calls", "call": "Call", "totals": "Totals", "nodes": "Nodes"}

func (p *Page) serveJSON(w http.ResponseWriter, r *http.Request, q query) {
	m, err := p.model(r.Context(), q)
	if refused(w, r, err) {
		return
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if refused(w, r, err) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n'))
}

func refused(w http.ResponseWriter, r *http.Request, err error) bool {
	switch {
	case errors.Is(err, errNoView):
		http.NotFound(w, r)
	case err != nil:
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
	}
	return err != nil
}

const (
	// openFor bounds a stream. The browser opens the next one, for which access is checked again.
	openFor = 10 * time.Minute
	// A viewer that reads nothing for writeIn is gone. If there is no update for quietFor,
	// a comment is sent, since proxies close idle streams.
	writeIn  = 10 * time.Second
	quietFor = 15 * time.Second
)

// news is one server-sent event: the new state of the view.
type news struct {
	Now  int64  `json:"now"` // by our clock, in milliseconds
	HTML string `json:"html"`
}

// stream sends the view whenever it changes, until the viewer or the timers are gone.
func (p *Page) stream(w http.ResponseWriter, r *http.Request, q query) {
	if q.search != "" || r.Method == http.MethodHead { // a search would look at all calls each time
		http.NotFound(w, r)
		return
	}
	watch := p.join()
	if watch == nil {
		http.Error(w, "Too many pages are open.", http.StatusServiceUnavailable)
		return
	}
	defer watch.leave()
	ctx, cancel := context.WithTimeout(r.Context(), openFor)
	defer cancel()
	if _, err := watch.draw(q); refused(w, r, err) {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	sent, shown, second := time.Time{}, "", 0
	for ok := true; ok; second, ok = watch.after(ctx, second) {
		html, err := watch.draw(q)
		text := ""
		switch {
		case err != nil:
			return
		case html != shown:
			text, shown = eventOf(html), html
		case time.Since(sent) >= quietFor:
			text = ":\n\n"
		default:
			continue
		}
		_ = out.SetWriteDeadline(time.Now().Add(writeIn)) // where it cannot be set, the server's own holds
		if _, err := w.Write([]byte(text)); err != nil || out.Flush() != nil {
			return
		}
		sent = time.Now()
	}
}

func eventOf(html string) string {
	b, _ := json.Marshal(news{time.Now().UnixMilli(), html}) // of a number and a string
	return "data: " + string(b) + "\n\n"
}
