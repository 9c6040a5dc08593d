{{/* Name of every object: the release's, unless overridden. */}}
{{- define "service.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Name of the Service that is scraped, which is also the job of its metrics. */}}
{{- define "service.managementName" -}}
{{- printf "%s-management" (include "service.fullname" . | trunc 52 | trimSuffix "-") }}
{{- end }}

{{/* The image's tag, which is also the version that labels and spans carry. */}}
{{- define "service.version" -}}
{{- default .Chart.AppVersion .Values.image.tag }}
{{- end }}

{{/* The image with its tag. */}}
{{- define "service.image" -}}
{{ .Values.image.repository }}:{{ include "service.version" . }}
{{- end }}

{{/* Labels that never change, since a Deployment's selector cannot. */}}
{{- define "service.selectorLabels" -}}
app.kubernetes.io/name: users
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of the pods: none that a new chart version alone would change, since that would roll them. */}}
{{- define "service.podLabels" -}}
{{ include "service.selectorLabels" . }}
app.kubernetes.io/version: {{ include "service.version" . | trunc 63 | quote }}
app.kubernetes.io/component: api
app.kubernetes.io/part-of: golive
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Labels of every other object. */}}
{{- define "service.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "service.podLabels" . }}
{{- end }}

{{/* Name of the ServiceAccount in use. */}}
{{- define "service.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "service.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* The service's whole configuration; a name changes here and nowhere else. */}}
{{- define "service.env" -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.database.existingSecret }}
      key: {{ .Values.database.key }}
- name: DATABASE_MAX_CONNECTIONS
  value: {{ .Values.database.maxConnections | int | quote }}
- name: REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.existingSecret }}
      key: {{ .Values.redis.key }}
      optional: {{ .Values.redis.optional }}
- name: PORT
  value: {{ .Values.service.port | quote }}
- name: MAX_CONNECTIONS
  value: {{ .Values.maxConnections | int | quote }}
- name: MANAGEMENT_PORT
  value: {{ .Values.managementPort | quote }}
- name: READINESS_POSTGRES
  value: {{ .Values.readiness.postgres }}
- name: READINESS_REDIS
  value: {{ .Values.readiness.redis }}
- name: LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
- name: OTEL_SERVICE_NAME
  value: {{ include "service.fullname" . }}
- name: SERVICE_VERSION
  value: {{ include "service.version" . | quote }}
{{- with .Values.otel.endpoint }}
- name: OTEL_ENDPOINT
  value: {{ . | quote }}
{{- end }}
- name: SAMPLE_RATIO
  value: {{ .Values.otel.sampleRatio | quote }}
{{- with .Values.orders.url }}
- name: ORDERS_URL
  value: {{ . | quote }}
{{- end }}
- name: SEED_USERS
  value: {{ .Values.demo.seedUsers | int | quote }}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: POD_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
- name: NODE_NAME
  valueFrom: { fieldRef: { fieldPath: spec.nodeName } }
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* One HTTP probe out of its values. */}}
{{- define "service.probe" -}}
httpGet:
  path: {{ .path }}
  port: {{ .port }}
initialDelaySeconds: {{ .initialDelaySeconds }}
periodSeconds: {{ .periodSeconds }}
timeoutSeconds: {{ .timeoutSeconds }}
failureThreshold: {{ .failureThreshold }}
{{- end }}
