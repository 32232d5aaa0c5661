package serve_test

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/grpc"
)

// The slow reader's window is full after the first response, so that the server is stuck in the middle of sending it the second.
func TestASlowReaderDelaysNobodyAndSkipsWhatIsOutdated(t *testing.T) {
	t.Parallel()
	d := newDomains("alice")
	d.setBig(t, "0")
	s := start(t, d, nil)
	slow, quick := s.connect(t, grpc.WithStaticStreamWindowSize(64<<10)), s.connect(t)
	slow.subscribe(nil)
	quick.subscribe(nil)
	const marks = "123456"
	for i := range len(marks) + 1 {
		quick.ack(quick.receive()) // though the slow one has not read a byte
		if i < len(marks) {
			d.setBig(t, marks[i:i+1])
		}
	}
	for n := 1; ; n++ {
		r := slow.receive()
		slow.ack(r)
		var c clusterv3.Cluster
		if err := r.GetResources()[0].GetResource().UnmarshalTo(&c); err != nil {
			t.Fatal(err)
		}
		if mark := c.GetAltStatName()[:1]; mark == "6" {
			break
		} else if n == 3 {
			t.Fatalf("the third response to the slow reader is state %s, want the newest, 6", mark)
		}
	}
}
