package serve

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// A refusals keeps the log readable when somebody without a right tries again and again: one line a second at most. All refusals are counted
// in the metrics.
type refusals struct {
	mu sync.Mutex
	// Guarded by mu.
	last   time.Time // when the last line was written
	silent int       // refusals since
}

// worthALine says whether a refusal may be logged, and how many were not since the last one that was.
func (r *refusals) worthALine(now time.Time) (silent int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.last) < time.Second {
		r.silent++
		return 0, false
	}
	silent, r.last, r.silent = r.silent, now, 0
	return silent, true
}

// refuse counts and logs a stream that was not let in, and returns err.
func (s *Server) refuse(ctx context.Context, err error) error {
	st := status.Convert(err)
	var from net.Addr
	if p, ok := peer.FromContext(ctx); ok {
		from = p.Addr
	}
	s.refused(from, st.Code().String(), st.Message())
	return err
}

// refuseConnection counts and logs a connection whose handshake failed.
func (s *Server) refuseConnection(from net.Addr, err error) {
	s.refused(from, "Handshake", err.Error())
}

func (s *Server) refused(from net.Addr, code, reason string) {
	s.config.Metrics.refusals.WithLabelValues(code).Inc()
	silent, ok := s.refusals.worthALine(time.Now())
	if !ok {
		return
	}
	address := "unknown"
	if from != nil {
		address = from.String()
	}
	s.config.Log.Warn("an xDS client was refused", "from", address, "code", code, "reason", reason, "unlogged", silent)
}
