package timerpage

import (
	"context"
	"sync"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/monitor"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// mostViewers bounds the open pages.
const mostViewers = 256

// watch exists while a page is open. Its two goroutines, which end with it, receive the
// events, and read the totals once a second, for all viewers.
type watch struct {
	page    *Page
	ctx     context.Context
	end     context.CancelFunc
	viewers int // guarded by page.mu

	monitor.Monitor
	seconds int                // since it began
	over    bool               // the timers are closed
	shown   map[query]*drawing // in this second
}

// drawing is the view for all viewers with the same query in one second. It is made once.
type drawing struct {
	once sync.Once
	html string
	err  error
}

// join counts one more viewer. It returns nil if there are too many.
func (p *Page) join() *watch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watch == nil {
		w := &watch{page: p, shown: make(map[query]*drawing)}
		w.ctx, w.end = context.WithCancel(context.Background())
		p.history.resume(time.Now())
		p.watch = w
		notices := p.timers.Subscribe(w.ctx, noticesQueue)
		go w.listen(notices)
		go w.run()
	}
	if p.watch.viewers == mostViewers {
		return nil
	}
	p.watch.viewers++
	return p.watch
}

// leave ends the watch with its last viewer.
func (w *watch) leave() { w.page.leave(w) }

func (p *Page) leave(w *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.viewers--; w.viewers == 0 {
		p.stop(w)
	}
}

// over ends a watch because the timers are closed.
func (p *Page) over(w *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop(w)
}

// stop ends a watch. The lock is held.
func (p *Page) stop(w *watch) {
	w.end()
	if p.watch == w {
		p.watch = nil
		p.history.pause(time.Now())
	}
}

// listen receives events until the watch or the timers end.
func (w *watch) listen(notices <-chan middleware.Notice) {
	for n := range notices {
		w.page.history.add(n)
	}
	w.page.over(w)
	w.Lock()
	w.over = true
	w.Signal()
	w.Unlock()
}

func (w *watch) run() {
	tick := time.Tick(time.Second)
	for {
		stats := w.page.timers.Stats()
		w.page.history.sample(sampleOf(&stats, time.Now()))
		w.Lock()
		w.seconds++
		w.shown = make(map[query]*drawing)
		w.Signal()
		w.Unlock()
		select {
		case <-tick:
		case <-w.ctx.Done():
			return
		}
	}
}

// after waits for a second after the one that was seen. It returns false if there will be
// none.
func (w *watch) after(ctx context.Context, seen int) (second int, ok bool) {
	err := w.Await(ctx, func() bool { return w.over || w.seconds != seen })
	defer w.Unlock()
	return w.seconds, err == nil && !w.over
}

// draw returns the drawing of this second for a query.
func (w *watch) draw(q query) (html string, err error) {
	w.Lock()
	d := w.shown[q]
	if d == nil {
		d = new(drawing)
		w.shown[q] = d
	}
	w.Unlock()
	d.once.Do(func() { d.html, d.err = w.page.fragment(w.ctx, q) })
	return d.html, d.err
}
