// Package shim gives the bridge the provider that upstream keeps in its internal folder: this module's path lies
// below upstream's, so that Go lets it import what is internal there.
package shim

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"

	docker "github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// New returns the upstream provider, which sends version in its user agent.
func New(version string) *schema.Provider {
	return docker.New(version)()
}
