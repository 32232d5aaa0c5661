package proxy

import (
	"bytes"
	"strconv"
)

// parseStats reads Envoy's statistics as text, one "name: value" a line. Histograms and texts are left out.
//
// Text, and not JSON, since it is a third of the bytes and there are tens of thousands of them.
func parseStats(body []byte) map[string]uint64 {
	stats := make(map[string]uint64, bytes.Count(body, []byte{'\n'}))
	for line := range bytes.Lines(body) {
		// A name may hold colons, a value that is a number does not.
		name, text, found := cutLast(trim(line), ": ")
		if !found || len(name) == 0 {
			continue
		}
		if value, err := strconv.ParseUint(string(text), 10, 64); err == nil {
			stats[string(name)] = value
		}
	}
	return stats
}

func cutLast(line []byte, separator string) (before, after []byte, found bool) {
	i := bytes.LastIndex(line, []byte(separator))
	if i < 0 {
		return line, nil, false
	}
	return line[:i], line[i+len(separator):], true
}

func trim(text []byte) []byte { return bytes.TrimSpace(text) }
