//go:build interop

package interop

import "time"

// oddity is a call with a SIPp that does what phones do rarely or wrongly.
type oddity struct {
	name    string
	subject string // uac calls SIPp, uas and diago are called
	flags   string
	script  func(x *script)
	want    string         // all messages but retransmissions, ACK and what answers BYE
	at      map[int]string // seconds after the call was up, by line
	wantTCP string         // over TCP, where that differs
	status  int            // with which uac ends
}

const brief = "-unsafe-intervals -session-expires 4s "

func se(v string) string { return "Session-Expires: " + v }

const supported, required = "Supported: timer", "Require: timer"

var oddities = []oddity{
	{
		name: "422 to the INVITE", subject: "uac", flags: brief,
		script: func(x *script) {
			x.called().first("422 Session Interval Too Small", false, "Min-SE: 6").expects("ACK")
			x.up(se("6;refresher=uac"), supported, required).refreshed("UPDATE", se("6;refresher=uac")).bye()
		},
		want: `
subject INVITE | Session-Expires: 4
peer 422 Session Interval Too Small | Min-SE: 6
subject INVITE | Session-Expires: 6, Min-SE: 6
peer 200 OK | Session-Expires: 6;refresher=uac
subject UPDATE | Session-Expires: 6;refresher=uac
peer 200 OK | Session-Expires: 6;refresher=uac
peer BYE`, // the Min-SE of before the dialog is forgotten (RFC 4028 section 7.4)
		at: map[int]string{4: "3"},
	},
	{
		name: "422 without Min-SE", subject: "uac", flags: brief,
		script: func(x *script) {
			x.called().first("422 Session Interval Too Small", false).expects("ACK")
		},
		want: `
subject INVITE | Session-Expires: 4
peer 422 Session Interval Too Small`,
		status: 1,
	},
	{
		name: "422 to a refresh", subject: "uac", flags: brief,
		script: func(x *script) {
			x.up(se("4;refresher=uac"), supported, required)
			x.expects("UPDATE").answer("422 Session Interval Too Small", false, "Min-SE: 6")
			x.refreshed("UPDATE", se("6;refresher=uac")).refreshed("UPDATE", se("6;refresher=uac")).bye()
		},
		want: `
subject INVITE | Session-Expires: 4
peer 200 OK | Session-Expires: 4;refresher=uac
subject UPDATE | Session-Expires: 4;refresher=uac
peer 422 Session Interval Too Small | Min-SE: 6
subject UPDATE | Session-Expires: 6;refresher=uac, Min-SE: 6
peer 200 OK | Session-Expires: 6;refresher=uac
subject UPDATE | Session-Expires: 6;refresher=uac, Min-SE: 6
peer 200 OK | Session-Expires: 6;refresher=uac
peer BYE`,
		at: map[int]string{2: "2", 4: "2", 6: "5"},
	},
	{
		name: "481 to a refresh", subject: "uas", flags: brief,
		script: func(x *script) {
			x.invite(se("4;refresher=uas"), supported)
			x.expects("UPDATE").answer("481 Call Does Not Exist", false).over()
		},
		want: `
peer INVITE | Session-Expires: 4;refresher=uas
subject 200 OK | Session-Expires: 4;refresher=uas
subject UPDATE | Session-Expires: 4;refresher=uac
peer 481 Call Does Not Exist
subject BYE | Reason: SIP;cause=408;text="Session refresh answered 481"`,
		at: map[int]string{4: "2"},
	},
	{
		name: "500 to a refresh", subject: "uac", flags: "-unsafe-intervals -session-expires 6s",
		script: func(x *script) {
			x.up(se("6;refresher=uac"), supported, required)
			x.expects("UPDATE").answer("500 Server Internal Error", false).refreshed("UPDATE", se("6;refresher=uac")).bye()
		},
		want: `
subject INVITE | Session-Expires: 6
peer 200 OK | Session-Expires: 6;refresher=uac
subject UPDATE | Session-Expires: 6;refresher=uac
peer 500 Server Internal Error
subject UPDATE | Session-Expires: 6;refresher=uac
peer 200 OK | Session-Expires: 6;refresher=uac
peer BYE`,
	},
	{
		name: "491 to a refresh", subject: "uas", flags: "-unsafe-intervals -session-expires 6s",
		script: func(x *script) {
			x.invite(se("6;refresher=uas"), supported)
			x.expects("UPDATE").answer("491 Request Pending", false).refreshed("UPDATE", se("6;refresher=uac")).bye()
		},
		want: `
peer INVITE | Session-Expires: 6;refresher=uas
subject 200 OK | Session-Expires: 6;refresher=uas
subject UPDATE | Session-Expires: 6;refresher=uac
peer 491 Request Pending
subject UPDATE | Session-Expires: 6;refresher=uac
peer 200 OK | Session-Expires: 6;refresher=uac
peer BYE`,
	},
	{
		name: "501 to UPDATE", subject: "uac", flags: brief,
		script: func(x *script) {
			x.up(se("4;refresher=uac"), supported, required)
			x.expects("UPDATE").answer("501 Not Implemented", false)
			x.refreshed("INVITE", se("4;refresher=uac")).refreshed("INVITE", se("4;refresher=uac")).bye()
		},
		want: `
subject INVITE | Session-Expires: 4
peer 200 OK | Session-Expires: 4;refresher=uac
subject UPDATE | Session-Expires: 4;refresher=uac
peer 501 Not Implemented
subject INVITE | Session-Expires: 4;refresher=uac
peer 200 OK | Session-Expires: 4;refresher=uac
subject INVITE | Session-Expires: 4;refresher=uac
peer 200 OK | Session-Expires: 4;refresher=uac
peer BYE`,
		at: map[int]string{2: "2", 4: "2", 6: "4"},
	},
	{
		name: "silence to a refresh", subject: "diago", flags: brief,
		script: func(x *script) {
			x.invite(se("4;refresher=uas"), supported).expects("UPDATE").maybe("UPDATE").over()
		},
		want: `
peer INVITE | Session-Expires: 4;refresher=uas
subject 200 OK | Session-Expires: 4;refresher=uas
subject UPDATE | Session-Expires: 4;refresher=uac
subject BYE | Reason: SIP;cause=408;text="Session timer expired"`,
		at: map[int]string{2: "2", 3: "4"},
		// On its stream, and then by its Contact.
		wantTCP: `
peer INVITE | Session-Expires: 4;refresher=uas
subject 200 OK | Session-Expires: 4;refresher=uas
subject UPDATE | Session-Expires: 4;refresher=uac
subject UPDATE | Session-Expires: 4;refresher=uac
subject BYE | Reason: SIP;cause=408;text="Session timer expired"`,
	},
	{
		name: "no refresh comes", subject: "uas", flags: "-unsafe-intervals -session-expires 6s",
		script: func(x *script) { x.invite(se("6;refresher=uac"), supported).over() },
		want: `
peer INVITE | Session-Expires: 6;refresher=uac
subject 200 OK | Session-Expires: 6;refresher=uac
subject BYE | Reason: SIP;cause=408;text="Session timer expired"`,
		at: map[int]string{2: "4"},
	},
	{
		name: "compact forms", subject: "uas", flags: brief,
		script: func(x *script) {
			x.invite("x: 4;refresher=uac", "k: timer").update(200, "x: 4;refresher=uac", "k: timer").bye()
		},
		want: `
peer INVITE | Session-Expires: 4;refresher=uac
subject 200 OK | Session-Expires: 4;refresher=uac
peer UPDATE | Session-Expires: 4;refresher=uac
subject 200 OK | Session-Expires: 4;refresher=uac
peer BYE`,
	},
	{
		name: "blanks and other options", subject: "diago", flags: brief,
		script: func(x *script) {
			x.invite("session-expires:  4 ; x=y ; Refresher = UAS", "Supported: 100rel , Timer", "Supported: replaces")
			x.refreshed("UPDATE", se("4 ;refresher= uac")).refreshed("UPDATE", se("4;refresher=uac")).bye()
		},
		want: `
peer INVITE | Session-Expires: 4 ; x=y ; Refresher = UAS
subject 200 OK | Session-Expires: 4;refresher=uas
subject UPDATE | Session-Expires: 4;refresher=uac
peer 200 OK | Session-Expires: 4 ;refresher= uac
subject UPDATE | Session-Expires: 4;refresher=uac
peer 200 OK | Session-Expires: 4;refresher=uac
peer BYE`,
		at: map[int]string{2: "2", 4: "4"},
	},
	{
		name: "no number", subject: "uas", flags: brief,
		script: func(x *script) {
			x.invite(se("abc"), supported).refreshed("UPDATE", se("4;refresher=uac")).bye()
		},
		want: `
peer INVITE | Session-Expires: abc
subject 200 OK | Session-Expires: 4;refresher=uas
subject UPDATE | Session-Expires: 4;refresher=uac
peer 200 OK | Session-Expires: 4;refresher=uac
peer BYE`,
	},
	{
		name: "an interval that is too small", subject: "uas", flags: "",
		script: func(x *script) {
			x.inviteRefused(422, se("60;refresher=uac"), supported)
			x.invite(se("90;refresher=uac"), "Min-SE: 90", supported).bye()
		},
		want: `
peer INVITE | Session-Expires: 60;refresher=uac
subject 422 Session Interval Too Small | Min-SE: 90
peer INVITE | Session-Expires: 90;refresher=uac, Min-SE: 90
subject 200 OK | Session-Expires: 90;refresher=uac
peer BYE`,
	},
	{
		name: "a refresh that is too small", subject: "diago", flags: brief + "-min-se 4s",
		script: func(x *script) {
			x.invite(se("4;refresher=uac"), supported).update(422, se("2;refresher=uac"), supported)
			x.update(200, se("4;refresher=uac"), "Min-SE: 4", supported).bye()
		},
		want: `
peer INVITE | Session-Expires: 4;refresher=uac
subject 200 OK | Session-Expires: 4;refresher=uac
peer UPDATE | Session-Expires: 2;refresher=uac
subject 422 Session Interval Too Small | Min-SE: 4
peer UPDATE | Session-Expires: 4;refresher=uac, Min-SE: 4
subject 200 OK | Session-Expires: 4;refresher=uac
peer BYE`,
	},
	{
		name: "an interval of a proxy", subject: "uas", flags: brief,
		script: func(x *script) {
			x.invite(se("4")).refreshed("UPDATE").refreshed("UPDATE").bye()
		},
		want: `
peer INVITE | Session-Expires: 4
subject 200 OK | Session-Expires: 4;refresher=uas
subject UPDATE | Session-Expires: 4;refresher=uac
peer 200 OK
subject UPDATE | Session-Expires: 4;refresher=uac
peer 200 OK
peer BYE`,
		at: map[int]string{2: "2", 4: "4"},
	},
	{
		name: "a raised interval", subject: "uac", flags: brief,
		script: func(x *script) {
			x.up(se("12;refresher=uac"), supported, required).refreshed("UPDATE", se("12;refresher=uac")).bye()
		},
		want: `
subject INVITE | Session-Expires: 4
peer 200 OK | Session-Expires: 12;refresher=uac
subject UPDATE | Session-Expires: 12;refresher=uac
peer 200 OK | Session-Expires: 12;refresher=uac
peer BYE`,
		at: map[int]string{2: "2"},
	},
	{
		name: "a lowered interval", subject: "uac", flags: "-unsafe-intervals -session-expires 60s",
		script: func(x *script) {
			x.up(se("6;refresher=uac"), supported, required).refreshed("UPDATE", se("4;refresher=uac"))
			x.refreshed("UPDATE", se("4;refresher=uac")).bye()
		},
		want: `
subject INVITE | Session-Expires: 60
peer 200 OK | Session-Expires: 6;refresher=uac
subject UPDATE | Session-Expires: 6;refresher=uac
peer 200 OK | Session-Expires: 4;refresher=uac
subject UPDATE | Session-Expires: 4;refresher=uac
peer 200 OK | Session-Expires: 4;refresher=uac
peer BYE`,
		at: map[int]string{2: "3", 4: "5"},
	},
	{
		name: "no timers there", subject: "uac", flags: brief,
		script: func(x *script) { x.up().pause(6 * time.Second).bye() },
		want: `
subject INVITE | Session-Expires: 4
peer 200 OK
peer BYE`,
	},
	{
		name: "no timers there, alone", subject: "uac", flags: brief + "-mode always",
		script: func(x *script) { x.up().refreshed("UPDATE").refreshed("UPDATE").bye() },
		want: `
subject INVITE | Session-Expires: 4
peer 200 OK
subject UPDATE | Session-Expires: 4;refresher=uac
peer 200 OK
subject UPDATE | Session-Expires: 4;refresher=uac
peer 200 OK
peer BYE`,
		at: map[int]string{2: "2", 4: "4"},
	},
	{
		name: "420 to Require", subject: "uac", flags: brief + "-mode require",
		script: func(x *script) {
			x.called().first("420 Bad Extension", false, "Unsupported: timer").expects("ACK").up().bye()
		},
		want: `
subject INVITE | Session-Expires: 4
peer 420 Bad Extension
subject INVITE | Session-Expires: 4
peer 200 OK
peer BYE`,
	},
	{
		name: "roles change", subject: "uas", flags: brief,
		script: func(x *script) {
			x.invite(se("4;refresher=uac"), supported).update(200, se("4;refresher=uas"), supported)
			x.refreshed("UPDATE", se("4;refresher=uac")).bye()
		},
		want: `
peer INVITE | Session-Expires: 4;refresher=uac
subject 200 OK | Session-Expires: 4;refresher=uac
peer UPDATE | Session-Expires: 4;refresher=uas
subject 200 OK | Session-Expires: 4;refresher=uas
subject UPDATE | Session-Expires: 4;refresher=uac
peer 200 OK | Session-Expires: 4;refresher=uac
peer BYE`,
	},
}
