{{/*
The official Envoy, with the configuration that `vidence envoy config` writes when the pod starts: it follows from the
protos of the image and from the settings, so there is no second copy of it here. (list root name)
*/}}
{{- define "vidence.envoyContainers" -}}
{{- $root := first . -}}
{{- $values := $root.Values.envoy -}}
initContainers:
  - name: config
    image: {{ include "vidence.image" . }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: [envoy, config, --folder, /etc/envoy]
    env: {{- include "vidence.environment" . | trim | nindent 6 }}
    resources:
      requests: {cpu: 100m, memory: 128Mi}
      limits: {memory: 512Mi}
    securityContext: {{- include "vidence.containerSecurity" . | nindent 6 }}
    volumeMounts: {{- include "vidence.envoyMounts" $root | nindent 6 }}
containers:
  - name: envoy
    image: {{ $values.image.repository }}:{{ $values.image.tag }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    command: [envoy]
    args: [--config-path, /etc/envoy/envoy.json, --concurrency, "{{ $values.workers }}", --log-level, error, --disable-hot-restart]
    ports:
      - name: http
        containerPort: 8080
      {{- if $values.tls.existingSecret }}
      - name: https
        containerPort: 8443
      {{- end }}
    readinessProbe:
      tcpSocket: {port: http}
      periodSeconds: 5
      failureThreshold: 2
    livenessProbe:
      tcpSocket: {port: http}
      periodSeconds: 10
      failureThreshold: 6
    lifecycle:
      preStop:
        # New clients go elsewhere meanwhile; those that are here lose their streams at its end and resume by cursor.
        sleep:
          seconds: {{ $root.Values.drain.preStopSeconds }}
    resources: {{- toYaml $values.resources | nindent 6 }}
    securityContext: {{- include "vidence.containerSecurity" . | nindent 6 }}
    volumeMounts: {{- include "vidence.envoyMounts" $root | nindent 6 }}
{{- end }}

{{- define "vidence.envoyMounts" -}}
- name: config
  mountPath: /etc/envoy
- name: data
  mountPath: /var/lib/vidence
- name: tmp
  mountPath: /tmp
{{- if .Values.envoy.tls.existingSecret }}
- name: tls
  mountPath: /etc/vidence/tls
  readOnly: true
{{- end }}
{{- if .Values.internalTls.existingSecret }}
- name: internal-tls
  mountPath: /etc/vidence/internal-tls
  readOnly: true
{{- end }}
{{- end }}
