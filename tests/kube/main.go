// Command kube checks Kubernetes manifests as an API server would, without one: strict decoding,
// defaults, validation, and the restricted level of pod security.
//
//	go run . manifests.yaml ...
//
// It prints a JSON array with one object for each problem, and ends with 1 if there are any.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/apps"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/batch"
	batchvalidation "k8s.io/kubernetes/pkg/apis/batch/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
	psapi "k8s.io/pod-security-admission/api"
	pspolicy "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
)

// Problem is one fault of one document.
type Problem struct {
	File    string `json:"file"`
	Index   int    `json:"index"`
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Problem string `json:"problem"`
}

// kedaGroup holds kinds of KEDA, whose definitions are no part of Kubernetes: of those only the pod
// within is checked.
const kedaGroup = "keda.sh"

var (
	decoder = serializer.NewCodecFactory(
		legacyscheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	podOptions = corevalidation.PodValidationOptions{}
)

func main() {
	problems := []Problem{}
	for _, name := range os.Args[1:] {
		found, err := checkFile(name)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(2)
		}
		problems = append(problems, found...)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(problems); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

func checkFile(name string) ([]Problem, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	var problems []Problem
	for index := 0; ; index++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return problems, nil
		}
		if err != nil {
			return nil, err
		}
		kind, object, texts := checkDocument(document)
		for _, text := range texts {
			problems = append(problems, Problem{name, index, kind, object, text})
		}
	}
}

func checkDocument(document []byte) (kind, name string, problems []string) {
	var raw map[string]any
	if err := yaml.UnmarshalStrict(document, &raw); err != nil {
		return "", "", []string{err.Error()}
	}
	if len(raw) == 0 {
		return "", "", nil
	}
	head := unstructured.Unstructured{Object: raw}
	kind, name = head.GetKind(), head.GetName()
	group := head.GroupVersionKind().Group
	if group == kedaGroup {
		return kind, name, checkKeda(head)
	}
	if group == "kustomize.config.k8s.io" {
		return kind, name, nil
	}
	object, gvk, err := decoder.Decode(document, nil, nil)
	if err != nil {
		return kind, name, []string{err.Error()}
	}
	return kind, name, checkObject(object, gvk)
}

// checkObject defaults an object, as the API server does before it validates.
func checkObject(object runtime.Object, gvk *schema.GroupVersionKind) []string {
	var problems []string
	if template := templateOf(object); template != nil {
		problems = append(problems, checkPodSecurity(template)...)
	}
	legacyscheme.Scheme.Default(object)
	internal, err := legacyscheme.Scheme.ConvertToVersion(
		object, schema.GroupVersion{Group: gvk.Group, Version: runtime.APIVersionInternal})
	if err != nil {
		return append(problems, err.Error())
	}
	var errs field.ErrorList
	switch typed := internal.(type) {
	case *core.Namespace:
		errs = corevalidation.ValidateNamespace(typed)
	case *core.ServiceAccount:
		inNamespace(&typed.Namespace)
		errs = corevalidation.ValidateServiceAccount(typed)
	case *core.ConfigMap:
		inNamespace(&typed.Namespace)
		errs = corevalidation.ValidateConfigMap(typed)
	case *core.Secret:
		inNamespace(&typed.Namespace)
		errs = corevalidation.ValidateSecret(typed)
	case *core.Service:
		inNamespace(&typed.Namespace)
		// The API server takes the list from the single address before it validates.
		if typed.Spec.ClusterIP != "" && len(typed.Spec.ClusterIPs) == 0 {
			typed.Spec.ClusterIPs = []string{typed.Spec.ClusterIP}
		}
		errs = corevalidation.ValidateServiceCreate(typed)
	case *core.PersistentVolumeClaim:
		inNamespace(&typed.Namespace)
		errs = corevalidation.ValidatePersistentVolumeClaim(
			typed, corevalidation.PersistentVolumeClaimSpecValidationOptions{})
	case *apps.Deployment:
		inNamespace(&typed.Namespace)
		errs = appsvalidation.ValidateDeployment(typed, podOptions)
	case *apps.StatefulSet:
		inNamespace(&typed.Namespace)
		errs = appsvalidation.ValidateStatefulSet(
			typed, appsvalidation.StatefulSetValidationOptions{}, podOptions)
	case *batch.Job:
		inNamespace(&typed.Namespace)
		// The API server fills in selector and labels of a new job before it validates.
		generateSelector(typed)
		errs = batchvalidation.ValidateJobCreate(typed, batchvalidation.JobValidationOptions{
			PodValidationOptions: podOptions, RequirePrefixedLabels: true})
	case *batch.CronJob:
		inNamespace(&typed.Namespace)
		errs = batchvalidation.ValidateCronJobCreate(typed, podOptions)
	case *networking.NetworkPolicy:
		inNamespace(&typed.Namespace)
		errs = networkingvalidation.ValidateNetworkPolicy(
			typed, networkingvalidation.NetworkPolicyValidationOptions{})
	case *policy.PodDisruptionBudget:
		inNamespace(&typed.Namespace)
		errs = policyvalidation.ValidatePodDisruptionBudget(
			typed, policyvalidation.PodDisruptionBudgetValidationOptions{})
	default:
		return append(problems, fmt.Sprintf("no validation is known here for %s", gvk))
	}
	for _, each := range errs {
		problems = append(problems, each.Error())
	}
	return problems
}

// checkKeda checks the job that a ScaledJob makes.
func checkKeda(head unstructured.Unstructured) []string {
	spec, found, err := unstructured.NestedMap(head.Object, "spec", "jobTargetRef")
	if err != nil {
		return []string{err.Error()}
	}
	if !found {
		return nil
	}
	document, err := yaml.Marshal(map[string]any{
		"apiVersion": "batch/v1", "kind": "Job",
		"metadata": map[string]any{"name": head.GetName()}, "spec": spec,
	})
	if err != nil {
		return []string{err.Error()}
	}
	object, gvk, err := decoder.Decode(document, nil, nil)
	if err != nil {
		return []string{err.Error()}
	}
	return checkObject(object, gvk)
}

func checkPodSecurity(template *corev1.PodTemplateSpec) []string {
	evaluator, err := pspolicy.NewEvaluator(pspolicy.DefaultChecks(), nil)
	if err != nil {
		return []string{err.Error()}
	}
	level := psapi.LevelVersion{Level: psapi.LevelRestricted, Version: psapi.LatestVersion()}
	var problems []string
	for _, result := range evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec) {
		if !result.Allowed {
			problems = append(problems, fmt.Sprintf(
				"pod security: %s: %s", result.ForbiddenReason, result.ForbiddenDetail))
		}
	}
	return problems
}

// templateOf returns the template of the pods of an object, or nil.
func templateOf(object runtime.Object) *corev1.PodTemplateSpec {
	switch typed := object.(type) {
	case *appsv1.Deployment:
		return &typed.Spec.Template
	case *appsv1.StatefulSet:
		return &typed.Spec.Template
	case *batchv1.Job:
		return &typed.Spec.Template
	case *batchv1.CronJob:
		return &typed.Spec.JobTemplate.Spec.Template
	}
	return nil
}

// inNamespace sets what kubectl apply takes from its context.
func inNamespace(namespace *string) {
	if *namespace == "" {
		*namespace = "default"
	}
}

// generateSelector fills in what the API server does for a new job, which has no id yet.
func generateSelector(job *batch.Job) {
	job.UID = "00000000-0000-0000-0000-000000000000"
	labels := map[string]string{
		batch.ControllerUidLabel: string(job.UID), batch.JobNameLabel: job.Name,
		batch.LegacyControllerUidLabel: string(job.UID), batch.LegacyJobNameLabel: job.Name,
	}
	if job.Spec.Template.Labels == nil {
		job.Spec.Template.Labels = map[string]string{}
	}
	for key, value := range labels {
		job.Spec.Template.Labels[key] = value
	}
	job.Spec.Selector = &metav1.LabelSelector{
		MatchLabels: map[string]string{batch.ControllerUidLabel: string(job.UID)},
	}
}
