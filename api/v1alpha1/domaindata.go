package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DomainData describes a piece of data that a domain owns: a table, a model, a rule or a report. It says where the data lies and what its
// columns are; the data itself never passes through the control plane. A copy with vendor grant is what a domain sees of another's data.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,path=domaindatas,singular=domaindata,shortName=kdd
// +kubebuilder:subresource:status
type DomainData struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec is the description of the data.
	Spec DomainDataSpec `json:"spec"`

	// Status is whether the data can be used.
	Status DataStatus `json:"status,omitzero"`
}

// DomainDataList is a list of DomainDatas.
//
// +kubebuilder:object:root=true
type DomainDataList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the DomainDatas of this page.
	Items []DomainData `json:"items"`
}

// DomainDataSpec describes a piece of data.
type DomainDataSpec struct {
	// Name is the name that people read.
	Name string `json:"name"`

	// Type is the kind of data: table, model, rule or report.
	Type DataType `json:"type"`

	// RelativeURI is where the data lies, relative to its data source: a file path, an object key or a table name.
	RelativeURI string `json:"relativeURI"`

	// DataSource is the name of the DomainDataSource in the same namespace.
	DataSource string `json:"dataSource"`

	// Author is the id of the domain that owns the data.
	Author string `json:"author"`

	// Vendor is who registered the data: manual for people, grant for a copy made by a grant, or the name of an engine.
	Vendor string `json:"vendor,omitempty"`

	// FileFormat is the format of the file, such as CSV.
	FileFormat string `json:"fileFormat,omitempty"`

	// Columns are the columns of a table, in order.
	Columns []DataColumn `json:"columns,omitempty"`

	// Partitions say how a table is partitioned. Absent means that it is not.
	Partitions *DataPartitions `json:"partitions,omitempty"`

	// Attributes are free properties for engines.
	Attributes map[string]string `json:"attributes,omitempty"`
}

// DataColumn is one column of a table.
type DataColumn struct {
	// Name is the name of the column.
	Name string `json:"name"`

	// Type is the type of the values, such as int64, float64 or str.
	Type string `json:"type"`

	// Comment is a remark for people.
	Comment string `json:"comment,omitempty"`

	// NotNullable says that no value is missing.
	NotNullable bool `json:"notNullable,omitempty"`
}

// DataPartitions say how a table is partitioned.
type DataPartitions struct {
	// Type is the kind of partition, such as path or odps.
	Type string `json:"type"`

	// Fields are the columns by which the table is partitioned.
	Fields []DataColumn `json:"fields,omitempty"`
}

// DataType is the kind of a piece of data.
type DataType string

// The kinds of data.
const (
	// DataTable is rows and columns.
	DataTable DataType = "table"
	// DataModel is a trained model.
	DataModel DataType = "model"
	// DataRule is a preprocessing rule.
	DataRule DataType = "rule"
	// DataReport is a report for people.
	DataReport DataType = "report"
)
