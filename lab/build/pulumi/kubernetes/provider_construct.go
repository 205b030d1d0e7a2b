// Takes the place of the file of this name in pulumi-kubernetes' pkg/provider: component resources (yaml/v2, helm v4,
// kustomize v2) need the whole Go SDK, the slowest 66 packages to compile, and this project uses none of them.
package provider

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

var resourceProviders = map[string]resource.ResourceProviderFactory{}

func (k *kubeProvider) Construct(
	_ context.Context, request *pulumirpc.ConstructRequest,
) (*pulumirpc.ConstructResponse, error) {
	return nil, fmt.Errorf("the lab's build of this provider has no component resources: %s", request.GetType())
}
