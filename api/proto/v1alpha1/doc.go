// Package v1alpha1 holds the messages that the original's services share, in their generated form. It promises the original's names and
// field numbers; it has nothing to do with the custom resources of the same version, which live in api/v1alpha1.
package v1alpha1
