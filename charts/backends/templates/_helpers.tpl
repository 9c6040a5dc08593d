{{/* Labels that never change; takes the context and the backend's name. */}}
{{- define "backends.selectorLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Labels of every object; takes the context and the backend's name. */}}
{{- define "backends.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{ include "backends.selectorLabels" . }}
app.kubernetes.io/component: backend
app.kubernetes.io/part-of: golive
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* What every backend's pod has in common; takes the numeric user. */}}
{{- define "backends.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 10
securityContext:
  runAsNonRoot: true
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* What every backend's container has in common. */}}
{{- define "backends.container" -}}
imagePullPolicy: IfNotPresent
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}
