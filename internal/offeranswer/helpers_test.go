package offeranswer

import "strings"

// desc is a description with these lines; its session has neither a name nor a c= line.
func desc(lines ...string) Description {
	return Description{Body: []byte(strings.Join(append([]string{"v=0", "o=- 7 3 IN IP4 192.0.2.1", "s=-", "t=0 0"}, append(lines, "")...), "\r\n")), Type: SDP}
}

// Two streams.
const audio, video = "m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 96"

// sdp is a description by name, with these lines after its one stream.
func sdp(name string, lines ...string) []byte {
	return []byte(strings.Join(append([]string{"v=0", "o=" + name + " 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0",
		"m=audio 4000 RTP/AVP 0 8"}, append(lines, "")...), "\r\n"))
}

// name is whose description a body is.
func name(d Description) string {
	_, rest, _ := strings.Cut(string(d.Body), "o=")
	n, _, _ := strings.Cut(rest, " ")
	return n
}
