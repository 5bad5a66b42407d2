// Package timerpage shows the calls of a [middleware.Timers] in a browser, and as JSON:
// which refresh is due, which ones failed, what is about to be cut, and why a call was.
//
//	http.Handle("/timers/", timerpage.New(timers))
//
// There are views of all calls, of one call, of totals and, with failover, of the nodes. The
// page is read-only. It needs no build, and loads nothing from other hosts. Without
// [WithAccess], only browsers on the same machine may see it.
//
// It costs nothing while no page is open, except for [WithHistory] and [Recorder]. While one
// is, two goroutines serve all viewers, besides the goroutine of each viewer's request,
// regardless of the number of calls.
package timerpage

import (
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Page is an http.Handler. Mount it under any path that ends with a slash, with or without
// http.StripPrefix: all of its links are relative. It may be mounted more than once.
//
//	./             the calls
//	./call         one call
//	./totals       counts and rates
//	./nodes        the nodes, with failover
//
// Each view is also available as JSON: calls.json, call.json and so on.
type Page struct {
	timers   *middleware.Timers
	access   func(*http.Request) Access
	recorder *Recorder
	calls    surveyor
	history  history

	mu    sync.Mutex
	watch *watch // nil while no page is open
}

// Option configures New.
type Option func(*Page)

// WithHistory keeps the latest events, and the totals of the last five minutes, even while no
// page is open, to show later why a call was cut. It takes two goroutines until the timers are
// closed, and less than a megabyte. Default: they are kept only while a page is open.
func WithHistory() Option { return func(p *Page) { p.history.always = true } }

// WithRecorder shows the ladder of each call that r has recorded. Default, also for nil:
// no ladders.
func WithRecorder(r *Recorder) Option { return func(p *Page) { p.recorder = r } }

// New makes a page of timers. When they are closed, its goroutines end.
func New(timers *middleware.Timers, opts ...Option) *Page {
	p := &Page{timers: timers, access: loopbackOnly, calls: newSurveyor(timers.Calls)}
	for _, o := range opts {
		o(p)
	}
	if p.history.always {
		p.join()
	}
	return p
}

// query is what a viewer asks for. Viewers with the same query see the same.
type query struct {
	view   string
	access Access
	filter filter         // of calls
	search string         // in calls
	id     dialogstore.ID // of one call
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	guard(w.Header())
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "This page is read-only.", http.StatusMethodNotAllowed)
		return
	}
	access := p.access(r)
	if access != WithoutNumbers && access != Everything {
		http.Error(w, "This page is not for you. The application decides who may see it: see timerpage.WithAccess.", http.StatusForbidden)
		return
	}
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if r.URL.Path == "" { // StripPrefix left nothing: relative links need the slash
		asked, _, _ := strings.Cut(r.RequestURI, "?")
		w.Header().Set("Location", path.Base(asked)+"/")
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	if asset(w, r, name) {
		return
	}
	view, form, _ := strings.Cut(name, ".")
	v := r.URL.Query()
	q := query{
		view: view, access: access, filter: filter(v.Get("filter")), search: strings.TrimSpace(v.Get("search")),
		id: dialogstore.ID{CallID: v.Get("call_id"), LocalTag: v.Get("local_tag"), RemoteTag: v.Get("remote_tag")},
	}
	if view == "" {
		q.view = "calls"
	}
	if q.filter == "" {
		q.filter = all
	}
	switch form {
	case "":
		p.serveHTML(w, r, q)
	case "json":
		p.serveJSON(w, r, q)
	case "events":
		p.stream(w, r, q)
	default:
		http.NotFound(w, r)
	}
}
