package v1alpha1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/entente-mesh/entente/api/v1alpha1"
)

func TestZeroValuesAreWrittenOnlyWhereTheyMeanSomething(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		value any
		want  map[string]any
	}{
		"a kind with an optional spec and no content is only a head": {
			value: v1alpha1.ClusterDomainRoute{ObjectMeta: metav1.ObjectMeta{Name: "alice-bob"}},
			want:  map[string]any{"metadata": map[string]any{"name": "alice-bob"}},
		},
		"a required head and spec are written even when they are empty, a status is not": {
			value: v1alpha1.DomainAppImage{},
			want:  map[string]any{"metadata": map[string]any{}, "spec": map[string]any{}},
		},
		"a summary without a spec has no spec": {
			value: v1alpha1.KusciaDeploymentSummary{},
			want:  map[string]any{"metadata": map[string]any{}},
		},
		"a route's verdicts are written as soon as there is a status": {
			value: v1alpha1.DomainRouteStatus{TokenStatus: v1alpha1.DomainRouteTokenStatus{RevisionInitializer: "gw"}},
			want: map[string]any{
				"isDestinationAuthorized": false, "isDestinationUnreachable": false,
				"tokenStatus": map[string]any{"revisionInitializer": "gw"},
			},
		},
		"a token that is not ready says so": {
			value: v1alpha1.RouteToken{Revision: 3},
			want:  map[string]any{"revision": 3.0, "isReady": false},
		},
		"an endpoint that is not healthy says so": {
			value: v1alpha1.RouteEndpointStatus{},
			want:  map[string]any{"endpointHealthy": false},
		},
		"no replicas is not the same as no word about replicas": {
			value: v1alpha1.TaskPartyTemplate{Replicas: new(int32)},
			want:  map[string]any{"replicas": 0.0},
		},
		"no word about replicas is no word": {
			value: v1alpha1.TaskPartyTemplate{},
			want:  map[string]any{},
		},
		"a quota of no pods is a quota": {
			value: v1alpha1.DomainResourceQuota{PodMaxCount: new(int)},
			want:  map[string]any{"podMaxCount": 0.0},
		},
		"counts of a deployment are written when they are zero": {
			value: v1alpha1.KusciaDeploymentStatus{},
			want:  map[string]any{"totalParties": 0.0, "availableParties": 0.0},
		},
		"a grant's message is written when it is empty": {
			value: v1alpha1.DomainDataGrantStatus{Phase: v1alpha1.GrantReady},
			want:  map[string]any{"phase": "Ready", "message": ""},
		},
		"an empty required list is a list": {
			value: v1alpha1.DataStatus{Phase: v1alpha1.DataAvailable, Conditions: []v1alpha1.DataCondition{}},
			want:  map[string]any{"phase": "Available", "conditions": []any{}},
		},
		"times that have not come are left out": {
			value: v1alpha1.KusciaJobStatus{Phase: v1alpha1.JobRunning},
			want:  map[string]any{"phase": "Running"},
		},
		"the status of a reservation lies flat beside the names of its two sides": {
			value: v1alpha1.SummaryResourceStatus{
				HostTaskResourceName: "tr", TaskResourceStatus: v1alpha1.TaskResourceStatus{Phase: v1alpha1.TaskResourceReserved},
			},
			want: map[string]any{"hostTaskResourceName": "tr", "phase": "Reserved"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, encode(t, test.value)); diff != "" {
				t.Errorf("JSON of %T (-want +got):\n%s", test.value, diff)
			}
		})
	}
}

func TestTheAPIServerTakesANilRequiredListForMissing(t *testing.T) {
	t.Parallel()
	job := &v1alpha1.KusciaJob{Spec: v1alpha1.KusciaJobSpec{Initiator: "alice"}}
	job.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("KusciaJob"))
	errs := refused(t, readCRDs(t)["KusciaJob"], encode(t, job))
	var got []string
	for _, err := range errs {
		got = append(got, err.Error())
	}
	if diff := cmp.Diff([]string{"spec.tasks: Required value"}, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestTheAPIServerFillsInDefaults(t *testing.T) {
	t.Parallel()
	crd := readCRDs(t)["KusciaJob"]
	object := encode(t, v1alpha1.KusciaJob{Spec: v1alpha1.KusciaJobSpec{
		Initiator: "alice",
		Tasks:     []v1alpha1.JobTask{{Alias: "join", AppImage: "psi", Parties: []v1alpha1.JobParty{}}},
	}})
	withDefaults(t, crd, object)
	want := map[string]any{
		"initiator": "alice", "maxParallelism": int64(1), "scheduleMode": "Strict",
		"tasks": []any{map[string]any{"alias": "join", "appImage": "psi", "taskInputConfig": "", "parties": []any{}, "tolerable": false}},
	}
	if diff := cmp.Diff(want, object["spec"]); diff != "" {
		t.Errorf("spec with defaults (-want +got):\n%s", diff)
	}
}
