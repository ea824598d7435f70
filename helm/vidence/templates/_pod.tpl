{{/* Whether a component asks for a GPU. (list root name) */}}
{{- define "vidence.accelerated" -}}
{{- $values := index (first .).Values (last .) -}}
{{- if (dig "gpu" false $values) }}true{{ end -}}
{{- end }}

{{/* (list root name) */}}
{{- define "vidence.image" -}}
{{- $root := first . -}}
{{- $tag := default $root.Chart.AppVersion $root.Values.image.tag -}}
{{ $root.Values.image.repository }}:{{ $tag }}{{ if include "vidence.accelerated" . }}-gpu{{ end }}
{{- end }}

{{/* What every container may: nothing. */}}
{{- define "vidence.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Who its processes are. */}}
{{- define "vidence.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "vidence.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* Whether its folder is a volume that outlives the pod. (list root name) */}}
{{- define "vidence.persistent" -}}
{{- $root := first . -}}
{{- $component := index (include "vidence.components" $root | fromYaml) (last .) -}}
{{- $tables := and $component.database (not $root.Values.database.existingSecret) -}}
{{- $alone := not (or (dig "autoscaling" "enabled" false (index $root.Values (last .))) (gt (int (dig "replicas" 1 (index $root.Values (last .)))) 1)) -}}
{{- if and $root.Values.persistence.enabled $alone (or $component.files $tables) }}true{{ end -}}
{{- end }}

{{/* Whether it keeps images or face templates, and encrypts them. (list root name) */}}
{{- define "vidence.encrypted" -}}
{{- if and (first .).Values.encryption.existingSecret (has (last .) (list "capture" "batch" "library")) }}true{{ end -}}
{{- end }}

{{/* (list root name) */}}
{{- define "vidence.podSpec" -}}
{{- $root := first . -}}
{{- $name := last . -}}
{{- $values := index $root.Values $name -}}
{{- $component := index (include "vidence.components" $root | fromYaml) $name -}}
{{- $drain := $root.Values.drain -}}
serviceAccountName: {{ include "vidence.name" . }}
automountServiceAccountToken: false
enableServiceLinks: false
# Sleep, then the drain, in which all streams have one grace together, then time to close files.
terminationGracePeriodSeconds: {{ add (int $drain.preStopSeconds) (int $drain.graceSeconds) (int $drain.marginSeconds) }}
securityContext: {{- include "vidence.podSecurity" $root | nindent 2 }}
{{- include "vidence.pullSecrets" $root | nindent 0 }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if include "vidence.accelerated" . }}
{{- with $root.Values.gpu.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- end }}
{{- if not $component.single }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "vidence.selector" . | nindent 8 }}
{{- end }}
{{- if eq $name "envoy" }}
{{- include "vidence.envoyContainers" . | nindent 0 }}
{{- else }}
containers:
  - {{ include "vidence.container" . | nindent 4 | trim }}
{{- end }}
volumes: {{- include "vidence.volumes" . | nindent 2 }}
{{- end }}

{{/* (list root name) */}}
{{- define "vidence.container" -}}
{{- $root := first . -}}
{{- $name := last . -}}
{{- $values := index $root.Values $name -}}
{{- $component := index (include "vidence.components" $root | fromYaml) $name -}}
name: {{ $name }}
image: {{ include "vidence.image" . }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
{{- if eq $name "worker" }}
args: [worker, "{{ include "vidence.name" (list $root "batch") }}:50054"]
{{- else }}
args: [serve, {{ $name }}]
{{- end }}
env: {{- include "vidence.environment" . | trim | nindent 2 }}
ports:
{{- with $component.port }}
  - name: {{ ternary "grpc" "http" (hasKey $component "grpc") }}
    containerPort: {{ . }}
{{- end }}
  - name: metrics
    containerPort: 9464
{{- include "vidence.probes" (list $component $root.Values.probes $root.Values.internalTls.existingSecret) | nindent 0 }}
lifecycle:
  preStop:
    # Whoever still has the old address in mind finds somebody there.
    sleep:
      seconds: {{ $root.Values.drain.preStopSeconds }}
resources: {{- include "vidence.resources" . | nindent 2 }}
securityContext: {{- include "vidence.containerSecurity" . | nindent 2 }}
volumeMounts:
  - name: data
    mountPath: /var/lib/vidence
  - name: tmp
    mountPath: /tmp
{{- if and $root.Values.access.existingSecret (or $component.grpc (eq $name "worker")) }}
  - name: access
    mountPath: /etc/vidence/access
    readOnly: true
{{- end }}
{{- if include "vidence.encrypted" . }}
  - name: encryption
    mountPath: /etc/vidence/encryption
    readOnly: true
{{- end }}
{{- if $root.Values.internalTls.existingSecret }}
  - name: internal-tls
    mountPath: /etc/vidence/internal-tls
    readOnly: true
{{- end }}
{{- with $root.Values.database }}
{{- if and .existingSecret .passwordKey $component.database }}
  - name: database
    mountPath: /etc/vidence/database
    readOnly: true
{{- end }}
{{- end }}
{{- end }}

{{/*
Ready once every model has run. Health is asked by gRPC where there is gRPC; Kubernetes does that without TLS only, so
with TLS by HTTP at the port of the metrics. (list component probes internalTls)
*/}}
{{- define "vidence.probes" -}}
{{- $component := first . -}}
{{- $probes := index . 1 -}}
{{- $tls := last . -}}
{{- $ask := dict "tcpSocket" (dict "port" "metrics") -}}
{{- $alive := $ask -}}
{{- if and $component.grpc $tls -}}
{{- $ask = dict "httpGet" (dict "path" "/readyz" "port" "metrics") -}}
{{- $alive = dict "httpGet" (dict "path" "/livez" "port" "metrics") -}}
{{- else if $component.grpc -}}
{{- $ask = dict "grpc" (dict "port" (int $component.port) "service" $component.grpc) -}}
{{- $alive = dict "grpc" (dict "port" (int $component.port)) -}}
{{- else if $component.port -}}
{{- $header := dict "name" "Host" "value" "localhost" -}}
{{- $ask = dict "httpGet" (dict "path" "/" "port" "http" "httpHeaders" (list $header) "scheme" (ternary "HTTPS" "HTTP" (ne $tls ""))) -}}
{{- $alive = $ask -}}
{{- end -}}
startupProbe:
  {{- toYaml $ask | nindent 2 }}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: {{ max 1 (div (int $probes.startupSeconds) 2) }}
readinessProbe:
  {{- toYaml $ask | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  {{- toYaml $alive | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}

{{/* (list root name) */}}
{{- define "vidence.resources" -}}
{{- $root := first . -}}
{{- $resources := deepCopy (index $root.Values (last .)).resources -}}
{{- if include "vidence.accelerated" . -}}
{{- $_ := set $resources "limits" (merge (dict $root.Values.gpu.resource (int $root.Values.gpu.count)) ($resources.limits | default dict)) -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end }}

{{/* (list root name) */}}
{{- define "vidence.volumes" -}}
{{- $root := first . -}}
{{- $component := index (include "vidence.components" $root | fromYaml) (last .) -}}
- name: data
{{- if include "vidence.persistent" . }}
  persistentVolumeClaim:
    claimName: {{ include "vidence.name" . }}
{{- else }}
  emptyDir:
    sizeLimit: {{ $root.Values.scratch.sizeLimit }}
{{- end }}
- name: tmp
  emptyDir:
    sizeLimit: {{ $root.Values.scratch.sizeLimit }}
{{- if eq (last .) "envoy" }}
- name: config
  emptyDir:
    medium: Memory
    sizeLimit: 16Mi
{{- with $root.Values.envoy.tls.existingSecret }}
- name: tls
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- with $root.Values.internalTls.existingSecret }}
- name: internal-tls
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- if and $root.Values.access.existingSecret (or $component.grpc (eq (last .) "worker")) }}
- name: access
  secret:
    secretName: {{ $root.Values.access.existingSecret }}
    defaultMode: 0440
{{- end }}
{{- if include "vidence.encrypted" . }}
- name: encryption
  secret:
    secretName: {{ $root.Values.encryption.existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ $root.Values.encryption.key }}
        path: keys
{{- end }}
{{- with $root.Values.database }}
{{- if and .existingSecret .passwordKey $component.database }}
- name: database
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ .passwordKey }}
        path: password
{{- end }}
{{- end }}
{{- end }}
