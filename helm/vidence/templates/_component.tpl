{{/* All objects of one component. (list root name) */}}
{{- define "vidence.component" -}}
{{- include "vidence.check" (first .) -}}
{{- if include "vidence.enabled" . }}
{{- range (list "serviceAccount" "deployment" "service" "claim" "autoscaler" "budget" "policy") }}
{{- with include (printf "vidence.%s" .) $ }}
---
{{ . | trim }}
{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "vidence.metadata" -}}
metadata:
  name: {{ include "vidence.name" . }}
  labels: {{- include "vidence.labels" . | nindent 4 }}
{{- end }}

{{- define "vidence.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
{{ include "vidence.metadata" . }}
automountServiceAccountToken: false
{{- end }}

{{- define "vidence.deployment" -}}
{{- $root := first . -}}
{{- $values := index $root.Values (last .) -}}
{{- $component := index (include "vidence.components" $root | fromYaml) (last .) -}}
apiVersion: apps/v1
kind: Deployment
{{ include "vidence.metadata" . }}
spec:
  {{- if $component.single }}
  replicas: 1
  {{- else if not $values.autoscaling.enabled }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  strategy:
    {{- if or $component.single (include "vidence.persistent" .) }}
    # One process at a time owns the files.
    type: Recreate
    {{- else }}
    type: RollingUpdate
    rollingUpdate:
      {{- if include "vidence.accelerated" . }}
      # A spare accelerator is not to be expected.
      maxSurge: 0
      maxUnavailable: 1
      {{- else }}
      maxSurge: 1
      maxUnavailable: 0
      {{- end }}
    {{- end }}
  selector:
    matchLabels: {{- include "vidence.selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "vidence.labels" . | nindent 8 }}
      {{- with $root.Values.podAnnotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec: {{- include "vidence.podSpec" . | nindent 6 }}
{{- end }}

{{- define "vidence.service" -}}
{{- $root := first . -}}
{{- $name := last . -}}
{{- $component := index (include "vidence.components" $root | fromYaml) $name -}}
apiVersion: v1
kind: Service
{{ include "vidence.metadata" . }}
{{- if eq $name "envoy" }}
{{- with $root.Values.envoy.service.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}
spec:
  {{- if eq $name "envoy" }}
  type: {{ $root.Values.envoy.service.type }}
  {{- else }}
  # Names every replica: whoever calls balances, and sees each one's health.
  clusterIP: None
  {{- end }}
  selector: {{- include "vidence.selector" . | nindent 4 }}
  ports:
    {{- if $component.grpc }}
    - name: grpc
      port: {{ $component.port }}
      targetPort: grpc
      appProtocol: {{ ternary "https" "kubernetes.io/h2c" (ne $root.Values.internalTls.existingSecret "") }}
    {{- else if $component.port }}
    - name: http
      port: {{ $component.port }}
      targetPort: http
    {{- end }}
    {{- if eq $name "envoy" }}
    {{- if $root.Values.envoy.tls.existingSecret }}
    - name: https
      port: 8443
      targetPort: https
    {{- end }}
    {{- else }}
    - name: metrics
      port: 9464
      targetPort: metrics
    {{- end }}
{{- end }}

{{- define "vidence.claim" -}}
{{- if include "vidence.persistent" . }}
{{- $root := first . -}}
apiVersion: v1
kind: PersistentVolumeClaim
{{ include "vidence.metadata" . }}
  annotations:
    # What was seen outlives the release.
    helm.sh/resource-policy: keep
spec:
  accessModes: [{{ $root.Values.persistence.accessMode }}]
  {{- with $root.Values.persistence.storageClassName }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ (index $root.Values (last .)).storage }}
{{- end }}
{{- end }}

{{- define "vidence.autoscaler" -}}
{{- $autoscaling := dig "autoscaling" dict (index (first .).Values (last .)) }}
{{- if $autoscaling.enabled }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
{{ include "vidence.metadata" . }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "vidence.name" . }}
  minReplicas: {{ $autoscaling.minReplicas }}
  maxReplicas: {{ $autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ $autoscaling.cpuPercent }}
  behavior:
    scaleDown:
      stabilizationWindowSeconds: 300
{{- end }}
{{- end }}

{{- define "vidence.budget" -}}
{{- $values := index (first .).Values (last .) }}
{{- $least := ternary (dig "autoscaling" "minReplicas" 1 $values) (dig "replicas" 1 $values) (dig "autoscaling" "enabled" false $values) }}
{{- if gt (int $least) 1 }}
apiVersion: policy/v1
kind: PodDisruptionBudget
{{ include "vidence.metadata" . }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- include "vidence.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{- define "vidence.policy" -}}
{{- $root := first . -}}
{{- $name := last . -}}
{{- $policy := $root.Values.networkPolicy -}}
{{- $component := index (include "vidence.components" $root | fromYaml) $name -}}
{{- if $policy.enabled }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
{{ include "vidence.metadata" . }}
spec:
  podSelector:
    matchLabels: {{- include "vidence.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- if eq $name "envoy" }}
    - ports:
        - port: http
        {{- if $root.Values.envoy.tls.existingSecret }}
        - port: https
        {{- end }}
      {{- with $policy.clients }}
      from:
        {{- toYaml . | nindent 8 }}
        # `helm test`.
        - podSelector:
            matchLabels: {{- include "vidence.selector" (list $root "smoke") | nindent 14 }}
      {{- end }}
    {{- else }}
    {{- with $component.callers }}
    - ports:
        - port: {{ $component.port }}
      from:
        - podSelector:
            matchLabels: {{- include "vidence.release" $root | nindent 14 }}
            matchExpressions:
              - {key: app.kubernetes.io/component, operator: In, values: [{{ join ", " . }}]}
    {{- end }}
    {{- with $policy.scrapers }}
    - ports:
        - port: metrics
      from: {{- toYaml . | nindent 8 }}
    {{- end }}
    {{- end }}
  egress:
    # Names.
    - ports:
        - {port: 53, protocol: UDP}
        - {port: 53, protocol: TCP}
    # Each other.
    - to:
        - podSelector:
            matchLabels: {{- include "vidence.release" $root | nindent 14 }}
    {{- if and $root.Values.database.existingSecret $component.database }}
    - ports:
        - port: {{ $root.Values.database.port }}
      {{- with $root.Values.database.peers }}
      to: {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
    {{- with $policy.egress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}
