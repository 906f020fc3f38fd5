// Command pulumi-resource-docker is Pulumi's Docker provider, bridged from the Terraform provider of the same name.
// docker:index/image:Image is not a bridged resource and is missing here: images are built with the docker command.
package main

import (
	"context"
	"encoding/json"
	"log"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/spf13/afero"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

// version is the npm package's, set by the linker.
var version string

func main() {
	info := provider()
	// The schema is a function of the provider, so it is made here rather than kept in a file that can go stale.
	// Its documentation is left out: the generator would look for it by running `go mod download`.
	generator, err := tfgen.NewGenerator(tfgen.GeneratorOptions{
		Package:      info.Name,
		Version:      version,
		Language:     tfgen.Schema,
		ProviderInfo: info,
		Root:         afero.NewMemMapFs(),
		Sink:         diag.DefaultSink(log.Writer(), log.Writer(), diag.FormatOptions{Color: colors.Never}),
		SkipDocs:     true,
		SkipExamples: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	generated, err := generator.Generate(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	generated.PackageSpec.Version = version
	schema, err := json.Marshal(generated.PackageSpec)
	if err != nil {
		log.Fatal(err)
	}
	tfbridge.Main(info.Name, version, info, schema)
}

func provider() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		Name:         "docker",
		P:            sdkv2.NewProvider(shim.New(version)),
		Version:      version,
		Resources:    map[string]*tfbridge.ResourceInfo{},
		DataSources:  map[string]*tfbridge.DataSourceInfo{},
		MetadataInfo: tfbridge.NewProviderMetadata(nil),
	}
	for upstream, name := range map[string]string{
		"docker_buildx_builder": "BuildxBuilder",
		"docker_config":         "ServiceConfig",
		"docker_container":      "Container",
		"docker_image":          "RemoteImage",
		"docker_network":        "Network",
		"docker_plugin":         "Plugin",
		"docker_registry_image": "RegistryImage",
		"docker_secret":         "Secret",
		"docker_service":        "Service",
		"docker_tag":            "Tag",
		"docker_volume":         "Volume",
	} {
		info.Resources[upstream] = &tfbridge.ResourceInfo{Tok: tokens.Type(token(name, name))}
	}
	for upstream, name := range map[string]string{
		"docker_image":                    "RemoteImage",
		"docker_logs":                     "Logs",
		"docker_network":                  "Network",
		"docker_plugin":                   "Plugin",
		"docker_registry_image":           "RegistryImage",
		"docker_registry_image_manifests": "RegistryImageManifests",
	} {
		info.DataSources[upstream] = &tfbridge.DataSourceInfo{Tok: tokens.ModuleMember(token("get"+name, "get"+name))}
	}
	// Where the npm package departs from the names that the bridge gives by itself.
	info.Config = map[string]*tfbridge.SchemaInfo{"registry_auth": {Name: "registryAuth"}}
	info.Resources["docker_container"].Fields = map[string]*tfbridge.SchemaInfo{
		"command":           {Name: "command"},
		"networks_advanced": {Name: "networksAdvanced"},
	}
	// An image's name is a reference to what exists, not a name to be made up.
	info.Resources["docker_image"].Fields = map[string]*tfbridge.SchemaInfo{"name": {Name: "name"}}
	info.SetAutonaming(255, "-")
	return info
}

// token returns "docker:index/container:Container" for "Container".
func token(file, name string) string {
	return "docker:index/" + string(file[0]|0x20) + file[1:] + ":" + name
}
