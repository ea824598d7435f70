{{/* Settings that the chart decides, as variables; YAML. (list root name) */}}
{{- define "vidence.ownEnvironment" -}}
{{- $root := first . -}}
{{- $name := last . -}}
{{- $values := $root.Values -}}
{{- $component := index (include "vidence.components" $root | fromYaml) $name -}}
VIDENCE_DATA_DIR: /var/lib/vidence
VIDENCE_LOG__FORMAT: json
VIDENCE_METRICS__HOST: 0.0.0.0
VIDENCE_METRICS__PORT: "9464"
{{- if $component.grpc }}
VIDENCE_SERVER__HOST: 0.0.0.0
VIDENCE_SERVER__PORT: {{ $component.port | quote }}
{{- end }}
{{- if or $component.grpc (eq $name "bridge") }}
VIDENCE_SERVER__DRAIN_GRACE_S: {{ $values.drain.graceSeconds | quote }}
{{- end }}
{{- if or $component.grpc (eq $name "worker") }}
{{- if not $values.internalTls.existingSecret }}
# TLS ends at Envoy.
VIDENCE_TLS__INSECURE: "true"
{{- end }}
{{- if $values.access.existingSecret }}
VIDENCE_ACCESS__MODE: "on"
VIDENCE_ACCESS__KEYS_FILE: /etc/vidence/access/keys
VIDENCE_ACCESS__OWN_KEY_FILE: /etc/vidence/access/own-key
{{- else }}
VIDENCE_ACCESS__INSECURE: "true"
{{- end }}
{{- end }}
{{- if $values.internalTls.existingSecret }}
VIDENCE_TLS__CERTIFICATE: /etc/vidence/internal-tls/tls.crt
VIDENCE_TLS__KEY: /etc/vidence/internal-tls/tls.key
VIDENCE_TLS__PEER_CA: /etc/vidence/internal-tls/ca.crt
{{- if has $name (list "bridge" "envoy") }}
VIDENCE_BRIDGE__TLS: "true"
{{- else if and $component.grpc $values.internalTls.mutual }}
VIDENCE_TLS__CLIENT_CA: /etc/vidence/internal-tls/ca.crt
VIDENCE_TLS__REQUIRE_CLIENT_CERTIFICATE: "true"
{{- end }}
{{- end }}
{{- if include "vidence.encrypted" . }}
VIDENCE_ENCRYPTION__MODE: key_file
VIDENCE_ENCRYPTION__KEY_FILE: /etc/vidence/encryption/keys
VIDENCE_ENCRYPTION__ACCEPT_PLAIN: {{ $values.encryption.acceptPlain | quote }}
{{- end }}
{{- if and (has $name (list "extraction" "batch")) $values.library.enabled }}
VIDENCE_FILING__LIBRARY_ADDRESS: {{ include "vidence.name" (list $root "library") }}:50055
{{- end }}
{{- if eq $name "review" }}
# A component that is not enabled holds nothing of anybody.
{{- range $holder, $port := dict "capture" "50053" "batch" "50054" "library" "50055" }}
VIDENCE_ERASURE__{{ upper $holder }}_ADDRESS: {{ if (index $values $holder).enabled }}{{ include "vidence.name" (list $root $holder) }}:{{ $port }}{{ else }}""{{ end }}
{{- end }}
{{- end }}
{{- if and (ne $name "event") (or $component.grpc (eq $name "worker")) }}
VIDENCE_BUS__ADDRESS: {{ include "vidence.name" (list $root "event") }}:50051
{{- end }}
{{- if include "vidence.accelerated" . }}
VIDENCE_INFERENCE__PROVIDERS: '["CUDAExecutionProvider", "CPUExecutionProvider"]'
{{- end }}
{{- if and (eq $name "batch") $values.worker.enabled }}
VIDENCE_BATCH__WORKERS: "0"
{{- end }}
{{- if has $name (list "bridge" "envoy") }}
{{- include "vidence.bridgeEnvironment" . | nindent 0 }}
{{- end }}
{{- end }}

{{/* Where bridge and Envoy find the services, and under which names they are reached. (list root name) */}}
{{- define "vidence.bridgeEnvironment" -}}
{{- $root := first . -}}
{{- $values := $root.Values -}}
{{- $upstreams := dict -}}
{{- range $service, $component := include "vidence.components" $root | fromYaml }}
{{- if and $component.grpc (include "vidence.enabled" (list $root $service)) }}
{{- $_ := set $upstreams $service (printf "%s:%d" (include "vidence.name" (list $root $service)) (int $component.port)) }}
{{- end }}
{{- end }}
{{- $door := include "vidence.name" (list $root "envoy") -}}
{{- $names := list "localhost" "127.0.0.1" $door (printf "%s.%s" $door $root.Release.Namespace) (printf "%s.%s.svc" $door $root.Release.Namespace) (printf "%s.%s.svc.cluster.local" $door $root.Release.Namespace) -}}
VIDENCE_BRIDGE__HOST: 0.0.0.0
VIDENCE_BRIDGE__PORT: "8081"
VIDENCE_BRIDGE__UPSTREAM: {{ $upstreams.event }}
VIDENCE_BRIDGE__UPSTREAMS: {{ toJson $upstreams | squote }}
VIDENCE_BRIDGE__HOSTS: {{ concat $names $values.public.hosts | uniq | toJson | squote }}
VIDENCE_BRIDGE__ORIGINS: {{ toJson $values.public.origins | squote }}
{{- if eq (last .) "envoy" }}
VIDENCE_BRIDGE__ENVOY__HOST: 0.0.0.0
VIDENCE_BRIDGE__ENVOY__PORT: "8080"
VIDENCE_BRIDGE__ENVOY__TLS_PORT: {{ ternary "8443" "" (ne $values.envoy.tls.existingSecret "") | quote }}
VIDENCE_BRIDGE__ENVOY__BRIDGE: {{ include "vidence.name" (list $root "bridge") }}:8081
VIDENCE_BRIDGE__ENVOY__BINARY: /usr/local/bin/envoy
VIDENCE_BRIDGE__ENVOY__WORKERS: {{ $values.envoy.workers | quote }}
{{- if $values.envoy.tls.existingSecret }}
VIDENCE_BRIDGE__ENVOY__CERTIFICATE: /etc/vidence/tls/tls.crt
VIDENCE_BRIDGE__ENVOY__KEY: /etc/vidence/tls/tls.key
{{- end }}
{{- end }}
{{- end }}

{{/* Settings of `settings`, as variables; YAML. (list root name) */}}
{{- define "vidence.askedEnvironment" -}}
{{- range $section, $keys := (first .).Values.settings }}
{{- range $key, $value := $keys }}
{{ printf "VIDENCE_%s__%s" $section $key | upper }}: {{ include "vidence.settingText" $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* A value as the server reads it: numbers never as 1e+07, lists and maps as JSON. */}}
{{- define "vidence.settingText" -}}
{{- if or (kindIs "map" .) (kindIs "slice" .) -}}
{{- toJson . -}}
{{- else if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end }}

{{/* `env` of a container. (list root name) */}}
{{- define "vidence.environment" -}}
{{- $root := first . -}}
{{- $component := index (include "vidence.components" $root | fromYaml) (last .) -}}
{{- $own := include "vidence.ownEnvironment" . | fromYaml -}}
{{- $asked := include "vidence.askedEnvironment" . | fromYaml -}}
{{- range $variable, $_ := $asked }}
{{- if or (hasKey $own $variable) (has $variable (list "VIDENCE_STORAGE__DATA_DIR" "VIDENCE_STORAGE__DATABASE_URL" "VIDENCE_STORAGE__DATABASE_PASSWORD_FILE")) }}
{{- fail (printf "settings: the chart decides %s itself" $variable) }}
{{- end }}
{{- end }}
{{- range $variable, $value := merge $own $asked }}
- name: {{ $variable }}
  value: {{ $value | quote }}
{{- end }}
{{- with $root.Values.database }}
{{- if and .existingSecret $component.database }}
- name: VIDENCE_STORAGE__DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .urlKey }}
{{- if .passwordKey }}
- name: VIDENCE_STORAGE__DATABASE_PASSWORD_FILE
  value: /etc/vidence/database/password
{{- end }}
{{- end }}
{{- end }}
{{- end }}
