package run

import "time"

// A Backoff says how long to wait before something that keeps ending is started again. The zero value is 50 ms, doubling
// up to 5 s, forgotten after a life of 10 s.
//
// It is a rule: it neither sleeps nor asks the clock. It has no jitter, since what it restarts is local and alone.
type Backoff struct {
	First  time.Duration // the pause after the first failure
	Most   time.Duration // the pause never grows beyond this
	Forget time.Duration // a life of this length was a good one: the count of failures starts anew
}

// Failures counts failures in a row: given those before it and how long the last life was, the number with it, at least 1.
func (b Backoff) Failures(before int, lived time.Duration) int {
	if lived >= b.orDefault().Forget {
		return 1
	}
	return before + 1
}

// Pause is the time to wait after so many failures in a row; none when there were none.
func (b Backoff) Pause(failures int) time.Duration {
	if failures < 1 {
		return 0
	}
	b = b.orDefault()
	pause := min(b.First, b.Most)
	for range failures - 1 {
		if pause >= b.Most/2 {
			return b.Most
		}
		pause *= 2
	}
	return pause
}

func (b Backoff) orDefault() Backoff {
	if b.First <= 0 {
		b.First = 50 * time.Millisecond
	}
	if b.Most <= 0 {
		b.Most = 5 * time.Second
	}
	if b.Forget <= 0 {
		b.Forget = 10 * time.Second
	}
	return b
}
