package dialogstore

import "fmt"

// Check returns an error that names a field of d with a control character. In a request
// built from d, CR and LF would end a header field and begin another. Timers never
// store such a dialog: something else has written it.
func (d *Dialog) Check() error {
	for _, f := range [...]struct{ name, text string }{
		{"CallID", d.CallID}, {"LocalTag", d.LocalTag}, {"RemoteTag", d.RemoteTag},
		{"LocalURI", d.LocalURI}, {"RemoteURI", d.RemoteURI}, {"RemoteTarget", d.RemoteTarget}, {"Contact", d.Contact},
		{"Transport", d.Transport}, {"LocalAddr", d.LocalAddr}, {"Destination", d.Destination},
		{"Source", d.Source}, {"Answered", d.Answered},
		{"Supported", d.Supported}, {"Require", d.Require}, {"ProxyRequire", d.ProxyRequire},
		{"SDPType", d.SDPType}, {"PeerSDPType", d.PeerSDPType}, {"Accepted", d.Accepted}, {"LastMethod", d.LastMethod},
	} {
		if err := check(f.name, f.text); err != nil {
			return err
		}
	}
	for _, route := range d.RouteSet {
		if err := check("RouteSet", route); err != nil {
			return err
		}
	}
	return nil
}

func check(name, text string) error {
	for i := range len(text) { // by bytes: those of a longer character are all above
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("dialogstore: %s has a control character: %.100q", name, text)
		}
	}
	return nil
}

// Newer reports whether Version a is of a later commit than b. Versions wrap around.
func Newer(a, b uint64) bool { return int64(a-b) > 0 }
