package stored

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/sample"
)

func TestRoundTrip(t *testing.T) {
	for _, d := range append(sample.Alone(), sample.Filled(), sample.Bare(), sample.Extreme()) {
		var c Codec
		hotJSON, coldJSON, err := c.Encode(&d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(d.ID, hotJSON, coldJSON)
		d.Session.Since = time.Time{}
		if diff := cmp.Diff(d, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("another dialog comes back, %v (-want +got):\n%s\n%s\n%s", err, diff, hotJSON, coldJSON)
		}
	}
}

// The first format as it was written first. It stays readable, and is still written so.
const (
	recordedHot = `{"format":1,"version":7,"local_cseq":314160,"remote_cseq":2,` +
		`"session":{"interval":"30m0s","refresher":"local","refresh_after":"12m0s"},"last_method":"UPDATE","min_se":"1m30s",` +
		`"source":"192.0.2.7:5062","behind":true,"answered":"192.0.2.7:5062"}`
	recordedCold = `{"began":"2026-03-01T11:30:15.123456789Z","local_uri":"<sip:answer@example.com>;tag=314","remote_uri":"\"Zoë\" <sip:zoe@example.net>;tag=159",` +
		`"remote_target":"sip:zoe@192.0.2.7:5062","route_set":["<sip:p1.example.com;lr>","<sip:p2.example.com;lr>"],` +
		`"contact":"<sip:answer@192.0.2.1>","transport":"udp","local_addr":"192.0.2.1:5060","supported":"100rel",` +
		`"sdp":"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n","sdp_type":"application/sdp","peer_sdp":{"base64":"dj0wDQr/"},` +
		`"peer_sdp_type":"application/sdp","sdp_offered":true,"peer_timer":true,"peer_update":true,` +
		`"policy":{"mode":"offer","session_expires":"30m0s","min_se":"1m30s","method":"invite","max_interval":"24h0m0s","max_min_se":"24h0m0s"}}`
)

func recorded() dialogstore.Dialog {
	policy := sessiontimer.DefaultPolicy()
	policy.Method = sessiontimer.MethodReInvite
	return dialogstore.Dialog{
		Origin: dialogstore.Origin{
			ID:        dialogstore.ID{CallID: "a84b4c76e66710", LocalTag: "314", RemoteTag: "159"},
			Began:     time.Date(2026, time.March, 1, 11, 30, 15, 123456789, time.UTC),
			LocalURI:  "<sip:answer@example.com>;tag=314",
			RemoteURI: `"Zoë" <sip:zoe@example.net>;tag=159`,
			RouteSet:  []string{"<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"},
			Transport: "udp",
			Supported: "100rel",
			Policy:    policy,
		},
		State: dialogstore.State{
			Version:      7,
			RemoteTarget: "sip:zoe@192.0.2.7:5062",
			Contact:      "<sip:answer@192.0.2.1>",
			LocalAddr:    "192.0.2.1:5060",
			Source:       "192.0.2.7:5062",
			Behind:       true,
			Answered:     "192.0.2.7:5062",
			LocalCSeq:    314160,
			RemoteCSeq:   2,
			SDP:          []byte("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n"),
			SDPType:      "application/sdp",
			PeerSDP:      []byte("v=0\r\n\xff"),
			PeerSDPType:  "application/sdp",
			SDPOffered:   true,
			Session:      sessiontimer.Session{Interval: 30 * time.Minute, Refresher: sessiontimer.Local, RefreshAfter: 12 * time.Minute},
			LastMethod:   "UPDATE",
			MinSE:        90 * time.Second,
			PeerTimer:    true,
			PeerUpdate:   true,
		},
	}
}

func TestRecordedFormat(t *testing.T) {
	want := recorded()
	got, err := Decode(want.ID, []byte(recordedHot), []byte(recordedCold))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("the recorded value is read as another dialog, %v (-want +got):\n%s", err, diff)
	}
	hotJSON, coldJSON, err := new(Codec).Encode(&want)
	if diff := cmp.Diff([]string{recordedHot, recordedCold}, []string{string(hotJSON), string(coldJSON)}); err != nil || diff != "" {
		t.Errorf("the dialog is written in another way, %v (-want +got):\n%s", err, diff)
	}
}

// A later version has members that this one does not know, and gets them back.
func TestUnknownMembersSurvive(t *testing.T) {
	const newHot, newCold = `"hue":{"a":[],"b":{}}`, `"aura":null,"big":18446744073709551615,"text":"<\u0000>"`
	d := recorded()
	later := []byte(strings.Replace(recordedHot, "{", "{"+newHot+",", 1))
	laterCold := []byte(strings.TrimSuffix(recordedCold, "}") + "," + newCold + "}")
	var c Codec
	got, err := c.Claimed(d.ID, later, laterCold)
	if diff := cmp.Diff(d, got); err != nil || diff != "" {
		t.Errorf("with unknown members another dialog comes back, %v (-want +got):\n%s", err, diff)
	}
	got.LocalCSeq++
	hotJSON, coldJSON, err := c.Encode(&got)
	if err != nil || !json.Valid(hotJSON) || !strings.Contains(string(hotJSON), newHot) || !strings.Contains(string(hotJSON), "314161") {
		t.Errorf("%v: written again is\n%s\nwant %s in it", err, hotJSON, newHot)
	}
	if string(coldJSON) != string(laterCold) {
		t.Errorf("written again is\n%s\nwant\n%s", coldJSON, laterCold)
	}
	bare := dialogstore.Dialog{Origin: dialogstore.Origin{ID: d.ID}, State: dialogstore.State{Version: 1}}
	if _, coldJSON, _ := c.Encode(&bare); string(coldJSON) != "{"+newCold+"}" {
		t.Errorf("with no other members: %s", coldJSON)
	}
	if _, err := c.Claimed(bare.ID, []byte(recordedHot), []byte(recordedCold)); err != nil {
		t.Fatal(err)
	}
	c.Forget(d.ID)
	if hotJSON, _, _ := c.Encode(&d); string(hotJSON) != recordedHot {
		t.Errorf("after Forget %s is written", hotJSON)
	}
}

// Members are kept of the latest claim only, and nothing of a dialog that has none.
func TestUnknownMembersOfTheLatestClaim(t *testing.T) {
	const more = `{"hue":1,`
	d := recorded()
	for _, c := range []struct {
		what      string
		hot, cold string
		kept      int
	}{
		{"none", recordedHot, recordedCold, 0},
		{"some", strings.Replace(recordedHot, "{", more, 1), recordedCold, 1},
		{"none any more", recordedHot, recordedCold, 0},
		{"some in the cold part", recordedHot, strings.Replace(recordedCold, "{", more, 1), 1},
		{"some of a torn one", strings.Replace(recordedHot, "{", more, 1), recordedCold[:9], 0},
	} {
		var codec Codec
		for _, earlier := range []string{recordedHot, strings.Replace(recordedHot, "{", more, 1)} {
			if _, err := codec.Claimed(d.ID, []byte(earlier), []byte(recordedCold)); err != nil {
				t.Fatal(err)
			}
			_, failed := codec.Claimed(d.ID, []byte(c.hot), []byte(c.cold))
			if len(codec.more) != c.kept {
				t.Errorf("%s: %d dialogs have members, want %d", c.what, len(codec.more), c.kept)
			}
			hotJSON, coldJSON, err := codec.Encode(&d)
			written := strings.Contains(string(hotJSON)+string(coldJSON), "hue")
			if err != nil || written != (c.kept == 1) {
				t.Errorf("%s, claimed with %v: written as\n%s\n%s, %v", c.what, failed, hotJSON, coldJSON, err)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	replace := func(object, old, by string) string {
		if !strings.Contains(object, old) {
			t.Fatalf("%s is not in %s", old, object)
		}
		return strings.Replace(object, old, by, 1)
	}
	for why, value := range map[string][2]string{
		"nothing":             {"", ""},
		"no cold part":        {recordedHot, ""},
		"null":                {recordedHot, "null"},
		"a list":              {"[]", recordedCold},
		"torn":                {recordedHot[:len(recordedHot)/2], recordedCold},
		"torn cold part":      {recordedHot, recordedCold[:len(recordedCold)-1]},
		"text behind":         {recordedHot + "{}", recordedCold},
		"a later format":      {replace(recordedHot, `"format":1`, `"format":2`), recordedCold},
		"no format":           {replace(recordedHot, `"format":1,`, ``), recordedCold},
		"no version":          {replace(recordedHot, `"version":7`, `"version":0`), recordedCold},
		"a negative version":  {replace(recordedHot, `"version":7`, `"version":-7`), recordedCold},
		"a large CSeq":        {replace(recordedHot, `314160`, `4294967296`), recordedCold},
		"another refresher":   {replace(recordedHot, `"local"`, `"both"`), recordedCold},
		"a numeric refresher": {replace(recordedHot, `"local"`, `1`), recordedCold},
		"a negative interval": {replace(recordedHot, `"30m0s"`, `"-30m0s"`), recordedCold},
		"a long interval":     {replace(recordedHot, `"30m0s"`, `"1193046h30m0s"`), recordedCold},
		"no duration":         {replace(recordedHot, `"30m0s"`, `"30"`), recordedCold},
		"a late refresh":      {replace(recordedHot, `"12m0s"`, `"2000000h"`), recordedCold},
		"a negative Min-SE":   {replace(recordedHot, `"1m30s"`, `"-1ns"`), recordedCold},
		"another mode":        {recordedHot, replace(recordedCold, `"offer"`, `"demand"`)},
		"no base64":           {recordedHot, replace(recordedCold, `dj0wDQr/`, `?`)},
		"no time":             {recordedHot, replace(recordedCold, `2026-03`, `2026-33`)},
		"many routes":         {recordedHot, replace(recordedCold, `"route_set":[`, `"route_set":[`+strings.Repeat(`"",`, 70))},
		"a megabyte":          {recordedHot, replace(recordedCold, `answer@`, strings.Repeat("a", 1<<20))},
	} {
		if d, err := Decode(recorded().ID, []byte(value[0]), []byte(value[1])); err == nil {
			t.Errorf("%s: read as %+v, want it refused", why, d)
		}
	}
	d := recorded()
	d.Session.Refresher = 9
	if hotJSON, _, err := new(Codec).Encode(&d); err == nil {
		t.Errorf("a refresher without a name is written as %s", hotJSON)
	}
}

// Whatever is read is written and read again as the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(recordedHot), []byte(recordedCold))
	f.Add([]byte(`{"format":1,"version":1,"x":[]}`), []byte(`{"y":{}}`))
	f.Fuzz(func(t *testing.T, hotJSON, coldJSON []byte) {
		var c Codec
		id := dialogstore.ID{CallID: "call"}
		d, err := c.Claimed(id, hotJSON, coldJSON)
		if err != nil {
			return
		}
		hotJSON, coldJSON, err = c.Encode(&d)
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		again, err := Decode(id, hotJSON, coldJSON)
		if diff := cmp.Diff(d, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("%v (-first +again):\n%s", err, diff)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	d := recorded()
	var c Codec
	for b.Loop() {
		_, _, _ = c.Encode(&d)
	}
}

func BenchmarkDecode(b *testing.B) {
	d := recorded()
	for b.Loop() {
		_, _ = Decode(d.ID, []byte(recordedHot), []byte(recordedCold))
	}
}
