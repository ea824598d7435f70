{{/*
The components, one line each.
  port     where it listens, as `vidence serve NAME` does
  grpc     its first gRPC service: probes ask for the health of this one
  models   whether it runs models, and so may have an accelerator
  single   one process owns its state: one replica, stopped before the next one starts
  files    keeps state in files, whatever the database
  database may keep its tables in PostgreSQL
  callers  components that call it
*/}}
{{- define "vidence.components" -}}
event:      {port: 50051, grpc: vidence.event.v1.EventService, single: true, files: true, callers: [envoy, bridge, extraction, capture, batch, library, face, review, worker]}
extraction: {port: 50052, grpc: vidence.extraction.v1.ExtractionService, models: true, database: true, callers: [envoy, bridge]}
capture:    {port: 50053, grpc: vidence.capture.v1.CaptureService, models: true, single: true, files: true, database: true, callers: [envoy, bridge, review]}
batch:      {port: 50054, grpc: vidence.batch.v1.BatchService, models: true, single: true, files: true, database: true, callers: [envoy, bridge, worker, review]}
library:    {port: 50055, grpc: vidence.library.v1.LibraryService, models: true, single: true, files: true, database: true, callers: [envoy, bridge, extraction, batch, review]}
face:       {port: 50056, grpc: vidence.face.v1.FaceService, models: true, callers: [envoy, bridge]}
review:     {port: 50058, grpc: vidence.review.v1.ReviewService, single: true, files: true, database: true, callers: [envoy, bridge]}
bridge:     {port: 8081, callers: [envoy]}
worker:     {models: true, callers: []}
envoy:      {port: 8080}
{{- end }}

{{/* Whether a component is wanted. The bus always is: the others tell it what happens. (list root name) */}}
{{- define "vidence.enabled" -}}
{{- $values := index (first .).Values (last .) -}}
{{- if or (eq (last .) "event") $values.enabled }}true{{ end -}}
{{- end }}

{{/* `release` or `release-vidence`, 40 characters at most: component names are added. */}}
{{- define "vidence.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* (list root name) */}}
{{- define "vidence.name" -}}
{{ include "vidence.fullname" (first .) }}-{{ last . }}
{{- end }}

{{/* What finds the pods of a component; never changes. (list root name) */}}
{{- define "vidence.selector" -}}
{{ include "vidence.release" (first .) }}
app.kubernetes.io/component: {{ last . }}
{{- end }}

{{/* What finds all pods of the release. */}}
{{- define "vidence.release" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* (list root name) */}}
{{- define "vidence.labels" -}}
{{- $root := first . -}}
{{ include "vidence.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: vidence
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What is wrong with the values beyond what their schema can say. */}}
{{- define "vidence.check" -}}
{{- $values := .Values -}}
{{- if and (not $values.access.existingSecret) (not $values.access.insecure) -}}
{{- fail "access.existingSecret names the keys of those who may call; access.insecure: true lets in whoever reaches Envoy" -}}
{{- end -}}
{{- if and $values.worker.enabled (not $values.batch.enabled) -}}
{{- fail "worker.enabled needs batch.enabled: workers work for the batch service" -}}
{{- end -}}
{{- if and $values.envoy.enabled (not $values.bridge.enabled) -}}
{{- fail "envoy.enabled needs bridge.enabled: Envoy sends it what it cannot do itself" -}}
{{- end -}}
{{- if and (or $values.ingress.enabled $values.gateway.enabled) (not $values.envoy.enabled) -}}
{{- fail "ingress.enabled and gateway.enabled need envoy.enabled: it is what they lead to" -}}
{{- end -}}
{{- if and (or $values.ingress.enabled $values.gateway.enabled) (not $values.public.hosts) -}}
{{- fail "ingress.enabled and gateway.enabled need public.hosts: the names that they take" -}}
{{- end -}}
{{- if and $values.gateway.enabled (not $values.gateway.parentRefs) -}}
{{- fail "gateway.enabled needs gateway.parentRefs: the gateways that it hangs on" -}}
{{- end -}}
{{- $several := or $values.extraction.autoscaling.enabled (gt (int $values.extraction.replicas) 1) -}}
{{- $records := dig "extraction" "record_runs" true ($values.settings | default dict) -}}
{{- if and $several $records (not $values.database.existingSecret) -}}
{{- fail "several replicas of extraction need database.existingSecret, or settings.extraction.record_runs: false" -}}
{{- end -}}
{{- end }}
