export function parseMermaidToExcalidraw() {
  return Promise.reject(new Error('Mermaid diagrams are not part of this example'))
}
