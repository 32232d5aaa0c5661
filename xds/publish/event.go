package publish

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Reasons of events.
const (
	eventBad  = "NotProgrammed"
	eventGood = "Programmed"
)

// tell makes an event of a change of an object's standing, which people see in `kubectl describe`: that something is wrong, or no longer. That all is
// well from the beginning is no news.
func (r *reports) tell(ctx context.Context, about *metav1.PartialObjectMetadata, was string, s standing) error {
	kind, reason, message := corev1.EventTypeWarning, eventBad, short(s.reason)
	if s.good {
		if !strings.HasPrefix(was, "false") {
			return nil
		}
		kind, reason, message = corev1.EventTypeNormal, eventGood, "every connected gateway runs it"
	}
	now := metav1.Now()
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: about.Name + ".", Namespace: about.Namespace},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: about.APIVersion, Kind: about.Kind, Namespace: about.Namespace, Name: about.Name,
			UID: about.UID, ResourceVersion: about.ResourceVersion,
		},
		Type: kind, Reason: reason, Message: message,
		Source:         corev1.EventSource{Component: fieldOwner},
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}
	if err := r.p.cfg.Client.Create(ctx, event); err != nil {
		// The annotation stands, and says the same. An event that is missing is not worth a second one.
		r.p.cfg.Log.Warn("no event could be written", "kind", about.Kind, "namespace", about.Namespace, "name", about.Name, "error", fmt.Errorf("create event: %w", err))
	}
	return nil
}
