package lab

import (
	"context"
	"fmt"

	"github.com/entente-mesh/entente/internal/lab/fabric"
)

// Link is the connection between two nodes.
type Link struct{ a, b *Node }

// Condition is how well a link carries what passes. The zero value is a perfect link. A link with delay or partial loss has the
// short buffers of a real one: bursts lose frames that TCP then sends again.
type Condition = fabric.Condition

// Set replaces the link's condition. What is under way at this moment may get lost or arrive twice, as on real wires; TCP
// copes. An error leaves the old condition in place; it is a *[RefusedError] where the kernel cannot do it.
func (k *Link) Set(ctx context.Context, c Condition) error {
	if err := k.check(c); err != nil {
		return err
	}
	q := question{Link: &linkQuestion{A: k.a.index, B: k.b.index, Condition: c}}
	ch, _, files, err := k.a.lab.ask(ctx, q)
	if err != nil {
		return fmt.Errorf("set link %s: %w", k, explainFailure(err))
	}
	ch.close()
	closeAll(files)
	return nil
}

// Partition carries nothing between the two nodes until the next Set or Heal.
func (k *Link) Partition(ctx context.Context) error { return k.Set(ctx, Condition{Cut: true}) }

// Heal makes the link perfect again.
func (k *Link) Heal(ctx context.Context) error { return k.Set(ctx, Condition{}) }

// String names both ends.
func (k *Link) String() string { return k.a.name + "–" + k.b.name }

func (k *Link) check(c Condition) error {
	if k.b == nil || k.a == k.b || k.a.lab != k.b.lab {
		return fmt.Errorf("set link of %s: a link has two different nodes of one lab", k.a.name)
	}
	if err := c.Check(); err != nil {
		return fmt.Errorf("set link %s: %w", k, err)
	}
	return nil
}
