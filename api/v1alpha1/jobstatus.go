package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KusciaJobStatus is how far a job has come. KusciaJob and KusciaJobSummary share it.
type KusciaJobStatus struct {
	// Phase is the state of the job in one word. Empty means initialized.
	Phase JobPhase `json:"phase,omitempty"`

	// Reason is one word for programs, or a short phrase that names the party that ended the job.
	Reason string `json:"reason,omitempty"`

	// Message is a sentence for people.
	Message string `json:"message,omitempty"`

	// Conditions are the observations behind the phase.
	Conditions []JobCondition `json:"conditions,omitempty"`

	// ApproveStatus is, by domain id, whether a party takes part.
	ApproveStatus map[string]JobApproval `json:"approveStatus,omitempty"`

	// StageStatus is, by domain id, how a party has carried out the last command.
	StageStatus map[string]JobStageStatus `json:"stageStatus,omitempty"`

	// TaskStatus is the phase of each task that has been started, by task id.
	TaskStatus map[string]TaskPhase `json:"taskStatus,omitempty"`

	// PartyTaskCreateStatus is, by task id, how each party has created the task.
	PartyTaskCreateStatus map[string][]PartyTaskStatus `json:"partyTaskCreateStatus,omitempty"`

	// StartTime is when the controller first saw the job.
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// CompletionTime is when the job ended. Absent while it goes on.
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// LastReconcileTime is when the controller last changed the status, in whole seconds.
	LastReconcileTime *metav1.Time `json:"lastReconcileTime,omitempty"`
}

// JobCondition is one observation about a job.
type JobCondition struct {
	// Type is what the condition is about.
	Type JobConditionType `json:"type"`

	// Status is True, False or Unknown.
	Status corev1.ConditionStatus `json:"status"`

	// Reason is one word for programs.
	Reason string `json:"reason,omitempty"`

	// Message is a sentence for people.
	Message string `json:"message,omitempty"`

	// LastTransitionTime is when the status last changed.
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`
}

// JobPhase is the state of a job.
type JobPhase string

// The phases of a job.
const (
	// JobInitialized is the phase of a job that is being validated. An empty phase means the same. It is the only one in lower case.
	JobInitialized JobPhase = "initialized"
	// JobAwaitingApproval is the phase of a job to which partners have not all agreed.
	JobAwaitingApproval JobPhase = "AwaitingApproval"
	// JobPending is the phase of a job that not all parties have created.
	JobPending JobPhase = "Pending"
	// JobRunning is the phase of a job whose tasks may run.
	JobRunning JobPhase = "Running"
	// JobSucceeded is the phase of a job of which all tasks that are not tolerable have succeeded.
	JobSucceeded JobPhase = "Succeeded"
	// JobFailed is the phase of a job that failed or was stopped. It can be restarted.
	JobFailed JobPhase = "Failed"
	// JobCancelled is the phase of a job that was canceled.
	JobCancelled JobPhase = "Cancelled"
	// JobApprovalReject is the phase of a job that a partner has refused.
	JobApprovalReject JobPhase = "ApprovalReject"
	// JobSuspended is the phase of a job that waits for a restart.
	JobSuspended JobPhase = "Suspended"
)

// JobApproval is a party's decision about a job.
type JobApproval string

// The decisions about a job.
const (
	// JobAccepted says that the party takes part.
	JobAccepted JobApproval = "JobAccepted"
	// JobRejected says that the party does not take part.
	JobRejected JobApproval = "JobRejected"
)

// JobStageStatus is how a party has carried out a command.
type JobStageStatus string

// The outcomes of commands.
const (
	// JobCreateStageSucceeded says that the party has created the job.
	JobCreateStageSucceeded JobStageStatus = "JobCreateStageSucceeded"
	// JobCreateStageFailed says that the party could not create the job.
	JobCreateStageFailed JobStageStatus = "JobCreateStageFailed"
	// JobStartStageSucceeded says that the party has started the job.
	JobStartStageSucceeded JobStageStatus = "JobStartStageSucceeded"
	// JobStartStageFailed says that the party could not start the job.
	JobStartStageFailed JobStageStatus = "JobStartStageFailed"
	// JobRestartStageSucceeded says that the party has restarted the job.
	JobRestartStageSucceeded JobStageStatus = "JobRestartStageSucceeded"
	// JobRestartStageFailed says that the party could not restart the job.
	JobRestartStageFailed JobStageStatus = "JobRestartStageFailed"
	// JobStopStageSucceeded says that the party has stopped the job.
	JobStopStageSucceeded JobStageStatus = "JobStopStageSucceeded"
	// JobStopStageFailed says that the party could not stop the job.
	JobStopStageFailed JobStageStatus = "JobStopStageFailed"
	// JobCancelStageSucceeded says that the party has canceled the job.
	JobCancelStageSucceeded JobStageStatus = "JobCancelStageSucceeded"
	// JobCancelStageFailed says that the party could not cancel the job.
	JobCancelStageFailed JobStageStatus = "JobCancelStageFailed"
	// JobSuspendStageSucceeded says that the party has suspended the job.
	JobSuspendStageSucceeded JobStageStatus = "JobSuspendStageSucceeded"
	// JobSuspendStageFailed says that the party could not suspend the job.
	JobSuspendStageFailed JobStageStatus = "JobSuspendStageFailed"
)

// JobConditionType is what a JobCondition is about.
type JobConditionType string

// The conditions of a job.
const (
	// JobValidated says whether the spec makes sense.
	JobValidated JobConditionType = "JobValidated"
	// JobCreateInitialized says whether the creation at the parties was begun.
	JobCreateInitialized JobConditionType = "JobCreateInitialized"
	// JobCreateSucceeded says whether all parties have created the job.
	JobCreateSucceeded JobConditionType = "JobCreateSucceeded"
	// JobStartInitialized says whether the start at the parties was begun.
	JobStartInitialized JobConditionType = "JobStartInitialized"
	// JobStartSucceeded says whether all parties have started the job.
	JobStartSucceeded JobConditionType = "JobStartSucceeded"
	// JobStopInitialized says whether the stop at the parties was begun.
	JobStopInitialized JobConditionType = "JobStopInitialized"
	// JobStopSucceeded says whether all parties have stopped the job.
	JobStopSucceeded JobConditionType = "JobStopSucceeded"
	// JobTaskStopped says whether the tasks of the job were stopped.
	JobTaskStopped JobConditionType = "TaskStopped"
	// JobStatusSynced says whether the status of the partners is known.
	JobStatusSynced JobConditionType = "JobStatusSynced"
)

// The reasons of a job's status that partners compare.
const (
	// JobReasonValidateFailed says that the spec makes no sense.
	JobReasonValidateFailed = "ValidateFailed"
	// JobReasonCreateTaskFailed says that a KusciaTask could not be made.
	JobReasonCreateTaskFailed = "CreateTaskFailed"
)
