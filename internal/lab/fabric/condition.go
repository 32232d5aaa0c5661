package fabric

import (
	"fmt"
	"time"
)

// maxDelay keeps a mistaken unit, and the memory that waiting frames take, within reason.
const maxDelay = time.Minute

// Condition is how well a link carries what passes between its two nodes, in both directions alike. The zero value is a
// perfect link.
type Condition struct {
	// Cut carries nothing: new connections time out, established ones stall and go on when the link heals.
	Cut bool
	// Delay is added to every frame's way, so the round-trip time grows by twice as much. At most a minute.
	Delay time.Duration
	// Loss is the percentage of frames that get lost, chosen by chance from the lab's seed. 100 is the same as Cut.
	Loss float64
}

// Check says what is wrong with c.
func (c Condition) Check() error {
	if c.Delay < 0 || c.Delay > maxDelay {
		return fmt.Errorf("delay %v: use 0 to %v", c.Delay, maxDelay)
	}
	if !(c.Loss >= 0 && c.Loss <= 100) { // Written so that not-a-number is refused too.
		return fmt.Errorf("loss of %v percent: use 0 to 100", c.Loss)
	}
	return nil
}

// blocked reports whether the bridge must carry nothing: either nothing shall pass, or the relay carries it instead.
func (c Condition) blocked() bool { return c.Cut || c.Loss > 0 || c.Delay > 0 }

// relayed reports whether frames pass, but not as fast or as surely as over the bridge.
func (c Condition) relayed() bool { return c.blocked() && !c.Cut && c.Loss < 100 }
