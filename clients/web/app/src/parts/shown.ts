/** Whether the page is still looked at: what answers late does not bring back who has left. */
export function isShown(path: string): boolean {
  return location.pathname === path;
}
