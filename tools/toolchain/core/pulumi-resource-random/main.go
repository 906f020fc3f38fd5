// Command pulumi-resource-random is Pulumi's random provider, bridged from the Terraform provider of the same name.
package main

import (
	"context"
	"errors"
	"log"
	"strings"

	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/terraform-providers/terraform-provider-random/shim"
)

// version is the npm package's, set by the linker.
var version string

func main() {
	ctx := context.Background()
	info := provider()
	// The schema is a function of the provider, so it is made here rather than kept in a file that can go stale.
	generated, err := tfgen.GenerateSchema(ctx, tfgen.GenerateSchemaOptions{
		ProviderInfo: info,
		// Without documentation: the generator would look for it by running `go mod download`.
		XInMemoryDocs:   true,
		DiagnosticsSink: diag.DefaultSink(log.Writer(), log.Writer(), diag.FormatOptions{Color: colors.Never}),
	})
	if err != nil {
		log.Fatal(err)
	}
	pf.Main(ctx, info.Name, info, generated.ProviderMetadata)
}

func provider() tfbridge.ProviderInfo {
	resources := map[string]*tfbridge.ResourceInfo{}
	for _, kind := range []string{
		"Bytes", "Id", "Integer", "Password", "Pet", "Shuffle", "String", "Uuid", "Uuid4", "Uuid7",
	} {
		resources["random_"+strings.ToLower(kind)] = &tfbridge.ResourceInfo{
			Tok: tokens.Type("random:index/random" + kind + ":Random" + kind),
		}
	}
	resources["random_bytes"].ComputeID = bytesID
	return tfbridge.ProviderInfo{
		Name:         "random",
		P:            pf.ShimProvider(shim.New()),
		Version:      version,
		Resources:    resources,
		MetadataInfo: tfbridge.NewProviderMetadata(nil),
	}
}

// bytesID is the base64 value: upstream has no id for random_bytes, and Pulumi needs one.
func bytesID(_ context.Context, state resource.PropertyMap) (resource.ID, error) {
	value := state["base64"]
	if value.IsSecret() {
		value = value.SecretValue().Element
	}
	if !value.IsString() {
		return "", errors.New("random_bytes has no base64 value")
	}
	return resource.ID(value.StringValue()), nil
}
