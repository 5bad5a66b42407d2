package server

import (
	"errors"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

func requestIn(tx sip.ServerTransaction) (*request, func(headers ...string) *sip.Response) {
	r := &request{ServerTransaction: tx, req: sip.NewRequest(sip.INVITE, sip.Uri{})}
	return r, func(headers ...string) *sip.Response {
		res := sip.NewResponse(200, "OK")
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			res.AppendHeader(sip.NewHeader(name, value))
		}
		return res
	}
}

// Of several 2xx the first counts. Another one is a retransmission, and says of timers
// what the first one said.
func TestFirstAnswerCounts(t *testing.T) {
	tx := new(keeping)
	r, ok := requestIn(tx)
	sent := ok("Supported: timer", "Require: timer", "Session-Expires: 90;refresher=uac", "Allow: UPDATE", "X-Other: 1")
	if first, err := r.accept(sent); !first || err != nil || r.accepted(nil) != nil || len(tx.sent) != 0 {
		t.Fatalf("the first 2xx: first %t, %v, %d sent; want that whoever accepts sends it", first, err, len(tx.sent))
	}
	again := ok("Session-Expires: 1800;refresher=uas", "X-Other: 2")
	if first, err := r.accept(again); first || err != nil || len(tx.sent) != 1 || tx.sent[0] != again {
		t.Fatalf("another 2xx: first %t, %v, %d sent; want it sent", first, err, len(tx.sent))
	}
	for name, want := range map[string]string{"Supported": "timer", "Require": "timer", "Session-Expires": "90;refresher=uac", "Allow": "UPDATE", "X-Other": "2"} {
		if h := sipmsg.First(again, name, ""); h == nil || h.Value() != want || len(again.GetHeaders(name)) != 1 {
			t.Errorf("the other 2xx has %v, want one %s: %s", again.GetHeaders(name), name, want)
		}
	}
	if r.refuse(); r.sent() != sent {
		t.Error("a refusal takes back what was accepted")
	}
	if _, err := r.accept(ok()); err != nil {
		t.Errorf("a 2xx after one that was followed by a refusal: %v, want it sent", err)
	}
}

// It says that in the same fields, and nothing of what the application has written since.
func TestAnswerAgain(t *testing.T) {
	_, ok := requestIn(nil)
	sent := ok("k: 100rel, timer", "Allow: INVITE, UPDATE", "Allow: BYE")
	res := ok("k: 100rel", "x: 1800", "Min-SE: 1800", "Allow: INVITE", "Allow: BYE", "X-Other: 2")
	again(sent, sent)
	again(sent, res)
	got := ""
	for _, h := range res.Headers() {
		got += h.Name() + ": " + h.Value() + "\n"
	}
	if want := "X-Other: 2\nk: 100rel, timer\nAllow: INVITE, UPDATE\nAllow: BYE\n"; got != want || len(sent.Headers()) != 3 {
		t.Errorf("the other 2xx has\n%s\nwant\n%s", got, want)
	}
}

// After a refusal there is no 2xx any more: sipgo would keep it, and send it in place of
// the refusal.
func TestNoAnswerAfterRefusal(t *testing.T) {
	tx := new(keeping)
	r, ok := requestIn(tx)
	r.refuse()
	if first, err := r.accept(ok()); first || !errors.Is(err, sip.ErrTransactionTerminated) || len(tx.sent) != 0 || r.sent() != nil {
		t.Errorf("a 2xx after a refusal: first %t, %v, %d sent; want it refused", first, err, len(tx.sent))
	}
}

// A 2xx that did not go out does not count: another may.
func TestAnswerAfterFailedOne(t *testing.T) {
	r, ok := requestIn(new(keeping))
	_, _ = r.accept(ok())
	failed := errors.New("not sent")
	if err := r.accepted(failed); !errors.Is(err, failed) || r.sent() != nil {
		t.Errorf("a 2xx that was not sent: %v, and %v counts; want its error, and nothing", err, r.sent())
	}
	second := ok()
	if first, err := r.accept(second); !first || err != nil || r.sent() != second {
		t.Errorf("the next one: first %t, %v; want that it counts", first, err)
	}
}
