// Package shim gives the bridge the provider that upstream keeps in its internal folder: this module's path lies
// below upstream's, so that Go lets it import what is internal there.
package shim

import (
	"github.com/hashicorp/terraform-plugin-framework/provider"

	random "github.com/terraform-providers/terraform-provider-random/internal/provider"
)

// New returns the upstream provider.
func New() provider.Provider {
	return random.New()
}
