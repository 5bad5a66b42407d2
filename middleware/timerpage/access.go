package timerpage

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Access is what a viewer may see.
type Access uint8

// The kinds of access. The zero Access is none.
const (
	Nothing Access = iota // the viewer gets 403
	// WithoutNumbers hides who calls whom: the user part and the display name of every
	// URI, session descriptions, and other texts that may contain them.
	WithoutNumbers
	Everything
)

// WithAccess lets f decide who may see the page, and how much of it. f is called for each
// request, by many goroutines at once, and every ten minutes for a page that stays open. A
// value other than the three counts as Nothing. Default, also for nil: Everything for a
// browser on the same machine that asked for localhost or a loopback address, without a
// proxy that reveals itself, and Nothing for all others.
func WithAccess(f func(*http.Request) Access) Option {
	return func(p *Page) {
		if p.access = f; f == nil {
			p.access = loopbackOnly
		}
	}
}

// loopbackOnly checks the Host too: a web site may give its own name the address 127.0.0.1,
// and so read the page through a browser on this machine (DNS rebinding).
func loopbackOnly(r *http.Request) Access {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip"} {
		if r.Header.Get(name) != "" {
			return Nothing
		}
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() || !localHost(r.Host) {
		return Nothing
	}
	return Everything
}

func localHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// guard sets the headers by which browsers load nothing from other hosts, store nothing, show
// the page in no frame, and send no Referer.
func guard(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// shown returns a name-addr or URI as a viewer may see it, without its parameters.
func (a Access) shown(addr string) string {
	name, uri := "", addr
	if i := strings.LastIndexByte(addr, '<'); i >= 0 { // a quoted name may have one, too
		name = strings.Trim(addr[:i], ` "`)
		uri, _, _ = strings.Cut(addr[i+1:], ">")
	}
	scheme, rest, ok := strings.Cut(uri, ":")
	// A user may have semicolons and question marks in it (RFC 3261 §25.1), and ends at the @.
	user, host, found := strings.Cut(rest, "@")
	if !found {
		user, host = "", rest
	}
	if i := strings.IndexAny(host, ";?"); i >= 0 {
		uri, host = uri[:len(uri)-len(host)+i], host[:i]
	}
	switch {
	case a == Everything && name == user: // the name adds nothing
		return uri
	case a == Everything:
		return strings.TrimSpace(name + " " + uri)
	case !ok:
		return "…"
	case strings.EqualFold(scheme, "tel"):
		return scheme + ":…"
	case !found:
		return scheme + ":" + host
	}
	return scheme + ":…@" + host
}

// text returns a text that may contain a number, if the viewer may see it.
func (a Access) text(s string) string {
	if a == Everything {
		return s
	}
	return ""
}
