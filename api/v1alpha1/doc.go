// Package v1alpha1 holds the words that control planes and users exchange: the 18 resource kinds of the API group
// kuscia.secretflow, version v1alpha1. It promises that an object written by a Kuscia control plane decodes into these types without loss,
// and that an object written from them is accepted by one, historical misspellings of field names included.
//
// The package has no behavior. The comments below are what `kubectl explain` prints, so each field says what it means, in which unit, and,
// where it is not the user who made the object, which part of Entente writes it.
//
// Absence is explicit throughout: a required field is encoded even when it is zero, an optional one is left out when it is zero. Where zero
// means something else than absence, the field is a pointer. A required list must be set to a non-nil slice by its writer, because a nil
// slice is encoded as null, which the API server takes for a missing field.
//
// +groupName=kuscia.secretflow
// +kubebuilder:object:generate=true
package v1alpha1

//go:generate go tool -modfile=../../tools/go.mod controller-gen object paths=.
//go:generate go tool -modfile=../../tools/go.mod controller-gen crd:allowDangerousTypes=true paths=. output:crd:dir=../../cluster/crds
