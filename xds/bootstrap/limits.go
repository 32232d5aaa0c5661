package bootstrap

import (
	"cmp"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	connectionsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	heapv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/fixed_heap/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// maxRegexProgram is the largest RE2 program that a regular expression may become: the original's. It bounds what a route with a
// list of paths can cost.
const maxRegexProgram = 512

// heapMonitor is the name of the monitor that the heap's actions look at.
const heapMonitor = "envoy.resource_monitors.fixed_heap"

// overload bounds connections, and the heap where that is asked for.
func (c Config) overload() (*overloadv3.OverloadManager, error) {
	m := &overloadv3.OverloadManager{RefreshInterval: durationpb.New(250 * time.Millisecond)}
	watch := func(name string, config proto.Message) error {
		body, err := anypb.New(config)
		if err != nil {
			return err
		}
		m.ResourceMonitors = append(m.ResourceMonitors, &overloadv3.ResourceMonitor{
			Name: name, ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: body},
		})
		return nil
	}
	// The original set the runtime key overload.global_downstream_max_connections, which Envoy has replaced with this.
	if err := watch("envoy.resource_monitors.global_downstream_max_connections", &connectionsv3.DownstreamConnectionsConfig{
		MaxActiveDownstreamConnections: cmp.Or(c.MaxConnections, DefaultMaxConnections),
	}); err != nil {
		return nil, err
	}
	if c.MaxHeapBytes == 0 {
		return m, nil
	}
	if err := watch(heapMonitor, &heapv3.FixedHeapConfig{MaxHeapSizeBytes: c.MaxHeapBytes}); err != nil {
		return nil, err
	}
	m.Actions = []*overloadv3.OverloadAction{
		heapAction("envoy.overload_actions.shrink_heap", 0.90),
		heapAction("envoy.overload_actions.stop_accepting_requests", 0.95),
	}
	return m, nil
}

// heapAction is done while the heap is at least so full.
func heapAction(name string, full float64) *overloadv3.OverloadAction {
	return &overloadv3.OverloadAction{Name: name, Triggers: []*overloadv3.Trigger{{
		Name:         heapMonitor,
		TriggerOneof: &overloadv3.Trigger_Threshold{Threshold: &overloadv3.ThresholdTrigger{Value: full}},
	}}}
}

// runtimeLayers is one fixed layer. There is no layer for the admin interface, so nobody changes these at run time.
func runtimeLayers() *bootstrapv3.LayeredRuntime {
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name: "bootstrap",
		LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{Fields: map[string]*structpb.Value{
			"re2.max_program_size.error_level": structpb.NewNumberValue(maxRegexProgram),
		}}},
	}}}
}
