package crds

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

const (
	// fieldManager is Entente's name in the managed fields of the objects.
	fieldManager = "entente"
	// patience bounds Apply: the definitions of a fresh server are served within tenths of a second.
	patience = 30 * time.Second
	// rounds bounds how often Apply starts over when others write the same definitions at the same time.
	rounds = 5
)

// Result counts what Apply did. After an error it counts what was written before; Unchanged is then 0.
type Result struct {
	Created, Updated, Unchanged int
}

// Apply makes the API server serve every definition, and waits until it does. When all is as it should be, that costs one
// LIST. It replaces whole specs, guarded by the resource version, instead of merging fields: what a definition of another
// origin had besides ours would else stay in it for ever. It never deletes, and it refuses, with the reason and the remedy
// and before the first write, what would make stored objects unreadable.
func Apply(ctx context.Context, cfg *rest.Config, log *slog.Logger) (Result, error) {
	want, err := All()
	if err != nil {
		return Result{}, err
	}
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1 // eighteen requests at once, at the start only
	client, err := apiextensionsv1.NewForConfig(cfg)
	if err != nil {
		return Result{}, fmt.Errorf("apply resource definitions: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	result, err := apply(ctx, client.CustomResourceDefinitions(), want, log)
	if err != nil {
		return result, fmt.Errorf("apply resource definitions: %w", err)
	}
	return result, nil
}

// apply goes from list to plan to writes to served, and starts over when another writer or the end of a watch comes between.
func apply(ctx context.Context, client apiextensionsv1.CustomResourceDefinitionInterface, want []*definition, log *slog.Logger) (Result, error) {
	var done Result
	var err error
	for range rounds {
		var again bool
		again, err = round(ctx, client, want, &done, log)
		if !again {
			break
		}
	}
	if err == nil {
		done.Unchanged = len(want) - done.Created - done.Updated
	}
	return done, err
}

// errWatchEnded says that the server ended a watch before everything was served.
var errWatchEnded = errors.New("the API server ended the watch")

// round does it once; again is set when err may be gone in another round.
func round(ctx context.Context, client apiextensionsv1.CustomResourceDefinitionInterface, want []*definition, done *Result, log *slog.Logger) (again bool, err error) {
	list, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, forbidden(fmt.Errorf("list: %w", err))
	}
	steps, err := plan(want, list.Items)
	if err != nil {
		return false, err
	}
	waiting, err := unserved(want, list.Items)
	if err != nil && len(steps) == 0 {
		return false, err // when there are steps, they may be the cure
	}
	if len(steps) == 0 && len(waiting) == 0 {
		return false, nil
	}
	for _, s := range steps {
		if !s.update {
			waiting[s.object.Name] = "it has no conditions yet"
		}
	}
	// From the version of the list on, so that nothing is missed between the writes and the watch.
	w, err := client.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		return false, forbidden(fmt.Errorf("watch: %w", err))
	}
	defer w.Stop()
	if err := write(ctx, client, steps, done, log); err != nil {
		return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err), forbidden(err)
	}
	err = await(ctx, w, waiting)
	return errors.Is(err, errWatchEnded), err
}

// unserved maps the wanted definitions that exist but are not served to what their conditions say.
func unserved(want []*definition, have []definition) (map[string]string, error) {
	waiting := map[string]string{}
	var refused []error
	for _, w := range want {
		i := slices.IndexFunc(have, func(h definition) bool { return h.Name == w.Name })
		if i < 0 {
			continue
		}
		served, why, err := established(&have[i])
		if !served {
			waiting[w.Name] = why
		}
		refused = append(refused, err)
	}
	return waiting, errors.Join(refused...)
}

// write does all steps at the same time, and counts in done those that succeeded.
func write(ctx context.Context, client apiextensionsv1.CustomResourceDefinitionInterface, steps []step, done *Result, log *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	written := make([]bool, len(steps)) // each goroutine owns its own element
	for i, s := range steps {
		group.Go(func() (err error) {
			verb := "create"
			if s.update {
				verb = "update"
				_, err = client.Update(ctx, s.object, metav1.UpdateOptions{FieldManager: fieldManager})
			} else {
				_, err = client.Create(ctx, s.object, metav1.CreateOptions{FieldManager: fieldManager})
			}
			if err != nil {
				return fmt.Errorf("%s %s: %w", verb, s.object.Name, err)
			}
			written[i] = true
			log.Debug("resource definition written", "verb", verb, "definition", s.object.Name)
			return nil
		})
	}
	err := group.Wait()
	for i, s := range steps {
		switch {
		case written[i] && s.update:
			done.Updated++
		case written[i]:
			done.Created++
		}
	}
	return err
}

// await reads the watch until every definition in waiting is served.
func await(ctx context.Context, w watch.Interface, waiting map[string]string) error {
	for len(waiting) > 0 {
		select {
		case <-ctx.Done():
			first := slices.Min(slices.Collect(maps.Keys(waiting)))
			return fmt.Errorf("resource definition %s (of %d) is not served in time: %s: look into the API server's log: %w", first, len(waiting), waiting[first], context.Cause(ctx))
		case event, open := <-w.ResultChan():
			if !open || event.Type == watch.Error {
				return errWatchEnded
			}
			d, ok := event.Object.(*definition)
			if !ok || event.Type == watch.Deleted {
				continue
			}
			if _, ok := waiting[d.Name]; !ok {
				continue
			}
			served, why, err := established(d)
			if err != nil {
				return err
			}
			if waiting[d.Name] = why; served {
				delete(waiting, d.Name)
			}
		}
	}
	return nil
}

// forbidden adds the remedy to an answer of 401 or 403.
func forbidden(err error) error {
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		return fmt.Errorf("%w: use the credentials of a cluster administrator", err)
	}
	return err
}
