{{- define "activity.name" -}}
{{- printf "%s-%s" .Release.Name "activity" | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "activity.selector" -}}
app.kubernetes.io/name: activity
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "activity.labels" -}}
{{ include "activity.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "activity.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "activity.name" .) "default" .Values.serviceAccount.create) -}}
{{- end }}

{{- define "activity.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "activity.pod" -}}
serviceAccountName: {{ include "activity.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What all parts are told. Secrets are files, mounted by reference: see activity.secrets. */}}
{{- define "activity.environment" -}}
- {name: ACTIVITY_KAFKA_TOPIC, value: {{ .Values.kafka.topic | quote }}}
- {name: ACTIVITY_CLICKHOUSE_URL, value: {{ required "clickhouse.url must be set" .Values.clickhouse.url | quote }}}
- {name: ACTIVITY_CLICKHOUSE_DATABASE, value: {{ .Values.clickhouse.database | quote }}}
{{- with .Values.clickhouse.cluster }}
- {name: ACTIVITY_CLICKHOUSE_CLUSTER, value: {{ . | quote }}}
{{- end }}
{{- range $name, $value := .Values.settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "activity.clickhouseUser" -}}
{{- if .secret.name }}
- {name: ACTIVITY_CLICKHOUSE_USER_FILE, value: /run/secrets/clickhouse/{{ .secret.usernameKey }}}
- {name: ACTIVITY_CLICKHOUSE_PASSWORD_FILE, value: /run/secrets/clickhouse/{{ .secret.passwordKey }}}
{{- end }}
{{- end }}

{{- define "activity.kafkaEnvironment" -}}
- {name: ACTIVITY_KAFKA_BOOTSTRAP_SERVERS, value: {{ required "kafka.bootstrapServers must be set" .Values.kafka.bootstrapServers | quote }}}
- {name: ACTIVITY_KAFKA_DEAD_LETTER_TOPIC, value: {{ .Values.kafka.deadLetterTopic | quote }}}
- {name: ACTIVITY_KAFKA_GROUP_ID, value: {{ .Values.kafka.groupId | quote }}}
- {name: ACTIVITY_KAFKA_SECURITY_PROTOCOL, value: {{ .Values.kafka.securityProtocol | quote }}}
{{- if .Values.kafka.userSecret.name }}
- {name: ACTIVITY_KAFKA_SASL_MECHANISM, value: {{ .Values.kafka.saslMechanism | quote }}}
- {name: ACTIVITY_KAFKA_SASL_USERNAME_FILE, value: /run/secrets/kafka-user/{{ .Values.kafka.userSecret.usernameKey }}}
- {name: ACTIVITY_KAFKA_SASL_PASSWORD_FILE, value: /run/secrets/kafka-user/{{ .Values.kafka.userSecret.passwordKey }}}
{{- end }}
{{- if .Values.kafka.caSecret.name }}
- {name: ACTIVITY_KAFKA_SSL_CAFILE, value: /run/secrets/kafka-ca/{{ .Values.kafka.caSecret.key }}}
{{- end }}
{{- end }}

{{/* Volumes of secrets: a list of (volume, secret). */}}
{{- define "activity.volumes" -}}
- {name: tmp, emptyDir: {}}
{{- range . }}
{{- if .secret.name }}
- {name: {{ .volume }}, secret: {secretName: {{ .secret.name }}, defaultMode: 0440}}
{{- end }}
{{- end }}
{{- end }}

{{- define "activity.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- range . }}
{{- if .secret.name }}
- {name: {{ .volume }}, mountPath: /run/secrets/{{ .volume }}, readOnly: true}
{{- end }}
{{- end }}
{{- end }}

{{- define "activity.probes" -}}
startupProbe: {httpGet: {path: /healthz, port: {{ . }}}, periodSeconds: 2, failureThreshold: 60}
livenessProbe: {httpGet: {path: /healthz, port: {{ . }}}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
readinessProbe: {httpGet: {path: /readyz, port: {{ . }}}, periodSeconds: 5, timeoutSeconds: 5}
{{- end }}
