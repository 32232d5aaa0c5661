package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: "kuscia.secretflow", Version: "v1alpha1"}

// SchemeBuilder collects what AddToScheme registers. It is complete when the program starts; nothing adds to it.
var SchemeBuilder = runtime.NewSchemeBuilder(addKinds)

// AddToScheme teaches a scheme all kinds of this package and their lists, which is what a controller-runtime client needs to read and write
// them as typed objects.
var AddToScheme = SchemeBuilder.AddToScheme

func addKinds(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&AppImage{}, &AppImageList{},
		&ClusterDomainRoute{}, &ClusterDomainRouteList{},
		&Domain{}, &DomainList{},
		&DomainAppImage{}, &DomainAppImageList{},
		&DomainData{}, &DomainDataList{},
		&DomainDataGrant{}, &DomainDataGrantList{},
		&DomainDataSource{}, &DomainDataSourceList{},
		&DomainRoute{}, &DomainRouteList{},
		&Gateway{}, &GatewayList{},
		&InteropConfig{}, &InteropConfigList{},
		&KusciaDeployment{}, &KusciaDeploymentList{},
		&KusciaDeploymentSummary{}, &KusciaDeploymentSummaryList{},
		&KusciaJob{}, &KusciaJobList{},
		&KusciaJobSummary{}, &KusciaJobSummaryList{},
		&KusciaTask{}, &KusciaTaskList{},
		&KusciaTaskSummary{}, &KusciaTaskSummaryList{},
		&TaskResource{}, &TaskResourceList{},
		&TaskResourceGroup{}, &TaskResourceGroupList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
