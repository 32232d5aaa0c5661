package translate

import (
	"strings"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
)

const (
	// detail is why Envoy answered by itself, in one word.
	detail = "%RESPONSE_CODE_DETAILS%"
	// detailUpstream stands for what Envoy says about connections behind this gateway: addresses, certificates and errors of others.
	detailUpstream = "upstream_failure"
	// text is what the route says about its answer in names.HeaderErrorMessage, else the status.
	text = "%RESP(" + names.HeaderErrorMessage + "?:STATUS)%"
	// reasonUnauthorized is the original's, as its lites and partners know it.
	reasonUnauthorized = "unauthorized."
)

// replies are the answers of a gateway itself: names.HeaderErrorMessage says where an error began, as <domain/instance/side $detail$ text>. A lite
// that starts, and every health check of the original, looks for it on the 401. To others, discreet replies say nothing of what is behind.
//
// Answers that come from upstream keep the header that they have: unlike the original, stock Envoy cannot add a link to their chain.
func replies(s *mesh.Settings, g Gateway, side string, discreet bool) *hcmv3.LocalReplyConfig {
	place := literal(s.Domain + "/" + g.Name + "/" + side)
	mappers := []*hcmv3.ResponseMapper{{
		Filter:       status(accesslogv3.ComparisonFilter_EQ, 401),
		HeadersToAdd: []*corev3.HeaderValueOption{errorMessage(place, detail, "unauthorized")},
		BodyFormatOverride: &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_JsonFormat{
			JsonFormat: unauthorized(literal(s.Domain), literal(g.Name), literal(g.Version)),
		}},
	}}
	if discreet {
		mappers = append(mappers, &hcmv3.ResponseMapper{
			Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
				ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: []string{"UF", "UC", "UR", "LR", "URX", "UO", "UPE", "UT", "UMSDR"}},
			}},
			HeadersToAdd: []*corev3.HeaderValueOption{errorMessage(place, detailUpstream, text)},
			BodyFormatOverride: &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_TextFormatSource{
				TextFormatSource: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: "the service cannot be reached\n"}},
			}},
		})
	}
	return &hcmv3.LocalReplyConfig{Mappers: append(mappers, &hcmv3.ResponseMapper{
		Filter:       status(accesslogv3.ComparisonFilter_GE, 400),
		HeadersToAdd: []*corev3.HeaderValueOption{errorMessage(place, detail, text)},
	})}
}

func errorMessage(place, detail, text string) *corev3.HeaderValueOption {
	return overwrite(names.HeaderErrorMessage, "<"+place+" $"+detail+"$ "+text+">")
}

// literal keeps Envoy from reading commands in a text.
func literal(text string) string { return strings.ReplaceAll(text, "%", "%%") }

func unauthorized(domain, instance, version string) *structpb.Struct {
	return &structpb.Struct{Fields: map[string]*structpb.Value{
		"domain":   structpb.NewStringValue(domain),
		"instance": structpb.NewStringValue(instance),
		"kuscia":   structpb.NewStringValue(version),
		"reason":   structpb.NewStringValue(reasonUnauthorized),
	}}
}

// status compares the answer's code. Envoy wants a runtime key; nobody sets this one.
func status(op accesslogv3.ComparisonFilter_Op, code uint32) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_StatusCodeFilter{
		StatusCodeFilter: &accesslogv3.StatusCodeFilter{Comparison: &accesslogv3.ComparisonFilter{
			Op: op, Value: &corev3.RuntimeUInt32{DefaultValue: code, RuntimeKey: "entente.unused"},
		}},
	}}
}
