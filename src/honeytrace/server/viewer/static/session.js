export function bindSession() {
  return {};
}
