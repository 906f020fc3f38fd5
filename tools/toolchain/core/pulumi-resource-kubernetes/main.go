// Command pulumi-resource-kubernetes is Pulumi's Kubernetes provider. Both files that it embeds lie in the provider's
// module, beside a main package that cannot be built as it is published (it embeds what a generator makes of them):
// the build puts them here by an overlay.
package main

import (
	_ "embed"
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

// version is the npm package's, set by the linker.
var version string

// The schema has no version of its own.
//
//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

func main() {
	versioned := append(fmt.Appendf(nil, `{"version":%q,`, version), schema[1:]...)
	provider.Serve("kubernetes", version, versioned, terraformMapping)
}
