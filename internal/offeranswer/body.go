package offeranswer

import (
	"bytes"
	"hash/fnv"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"unicode"
)

// SDP is the media type of a session description (RFC 4566 §8.1).
const SDP = "application/sdp"

// Description is a session description. Bodies are shared and never written to.
type Description struct {
	Body []byte
	Type string // its Content-Type

	// Beside is a fingerprint of the other parts of its multipart body; 0 if there are
	// none.
	Beside uint32
}

// maxParts is how many parts of a multipart body are read.
const maxParts = 16

// Find returns the session description of a message: its body, or the first such part of
// a multipart body (RFC 5621 §8). A body without a type counts as a session description
// if it begins like one.
func Find(contentType string, body []byte) (Description, bool) {
	if len(body) == 0 {
		return Description{}, false
	}
	if contentType == "" {
		return Description{Body: body, Type: SDP}, bytes.HasPrefix(body, []byte("v=0"))
	}
	if isSDP(contentType) {
		return Description{Body: body, Type: printable(contentType)}, true
	}
	if len(contentType) < len("multipart/") || !strings.EqualFold(contentType[:len("multipart/")], "multipart/") {
		return Description{}, false
	}
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return Description{}, false
	}
	return findPart(multipart.NewReader(bytes.NewReader(body), params["boundary"]))
}

func findPart(parts *multipart.Reader) (d Description, found bool) {
	others := fnv.New32a()
	for range maxParts {
		part, err := parts.NextRawPart()
		if err != nil {
			break
		}
		body, err := io.ReadAll(part)
		if err != nil {
			break
		}
		kind := part.Header.Get("Content-Type")
		if !found && len(body) > 0 && isSDP(kind) && !attached(part.Header.Get("Content-Disposition")) {
			d.Body, d.Type, found = body, printable(kind), true
			continue
		}
		_, _ = io.WriteString(others, kind)
		_, _ = others.Write(body)
		d.Beside = others.Sum32()
	}
	if !found {
		return Description{}, false
	}
	return d, true
}

// printable returns a Content-Type that is safe in our own messages: application/sdp if it
// has control characters.
func printable(contentType string) string {
	if strings.ContainsFunc(contentType, unicode.IsControl) {
		return SDP
	}
	return contentType
}

func isSDP(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), SDP)
}

// attached reports whether the disposition of a part is other than session, the default (RFC
// 3261 §20.11): then the part does not describe the session of this dialog.
func attached(disposition string) bool {
	kind, _, _ := strings.Cut(disposition, ";")
	kind = strings.TrimSpace(kind)
	return kind != "" && !strings.EqualFold(kind, "session")
}
