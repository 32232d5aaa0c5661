package dns

import (
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
)

// scrubbed is a writer behind CoreDNS's own last writer, which adds EDNS and cuts messages to the client's size.
type scrubbed struct {
	writer
	request *dns.Msg
}

func (s *scrubbed) WriteMsg(m *dns.Msg) error {
	return request.NewScrubWriter(s.request, &s.writer).WriteMsg(m)
}
