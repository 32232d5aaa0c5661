package translate

import (
	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// A choice is what is done when a value matches.
type choice = *xdsmatcherv3.Matcher_OnMatch

// do is the choice of an action.
func (p *packer) do(name string, action message) choice {
	return &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Action{
		Action: &xdscorev3.TypedExtensionConfig{Name: name, TypedConfig: p.pack(action)},
	}}
}

// then is the choice of looking further.
func then(m *xdsmatcherv3.Matcher) choice {
	return &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Matcher{Matcher: m}}
}

// header looks at a request header. Several of one name are one value, joined by commas, which no exact choice here equals.
func (p *packer) header(name string) *xdscorev3.TypedExtensionConfig {
	return p.input("header", &matcherv3.HttpRequestHeaderMatchInput{HeaderName: name})
}

func (p *packer) input(name string, m message) *xdscorev3.TypedExtensionConfig {
	return &xdscorev3.TypedExtensionConfig{Name: name, TypedConfig: p.pack(m)}
}

// tree chooses by the exact value, in one lookup, however many choices there are.
func (p *packer) tree(input *xdscorev3.TypedExtensionConfig, choices map[string]choice) *xdsmatcherv3.Matcher_MatcherTree {
	return &xdsmatcherv3.Matcher_MatcherTree{
		Input:    input,
		TreeType: &xdsmatcherv3.Matcher_MatcherTree_ExactMatchMap{ExactMatchMap: &xdsmatcherv3.Matcher_MatcherTree_MatchMap{Map: choices}},
	}
}

// byHeaderValue chooses by a header's exact value, else otherwise. Without choices it is otherwise alone: Envoy takes no empty map.
func (p *packer) byHeaderValue(name string, choices map[string]choice, otherwise choice) *xdsmatcherv3.Matcher {
	m := &xdsmatcherv3.Matcher{OnNoMatch: otherwise}
	if len(choices) > 0 {
		m.MatcherType = &xdsmatcherv3.Matcher_MatcherTree_{MatcherTree: p.tree(p.header(name), choices)}
	}
	return m
}

// whoseHeaderFits chooses if the whole regular expression (RE2) fits a header, else otherwise. Unlike a route's own match, which is content when one
// of several headers of the name fits, it looks at all of them as one value.
func (p *packer) whoseHeaderFits(name, pattern string, c, otherwise choice) *xdsmatcherv3.Matcher {
	return &xdsmatcherv3.Matcher{
		MatcherType: &xdsmatcherv3.Matcher_MatcherList_{MatcherList: &xdsmatcherv3.Matcher_MatcherList{
			Matchers: []*xdsmatcherv3.Matcher_MatcherList_FieldMatcher{{
				Predicate: &xdsmatcherv3.Matcher_MatcherList_Predicate{
					MatchType: &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_{
						SinglePredicate: &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate{
							Input: p.header(name),
							Matcher: &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_ValueMatch{ValueMatch: &xdsmatcherv3.StringMatcher{
								MatchPattern: &xdsmatcherv3.StringMatcher_SafeRegex{SafeRegex: &xdsmatcherv3.RegexMatcher{
									Regex:      pattern,
									EngineType: &xdsmatcherv3.RegexMatcher_GoogleRe2{GoogleRe2: &xdsmatcherv3.RegexMatcher_GoogleRE2{}},
								}},
							}},
						},
					},
				},
				OnMatch: c,
			}},
		}},
		OnNoMatch: otherwise,
	}
}
