import { words } from "../../../language";
import en from "./en.json";
import es from "./es.json";
import fil from "./fil.json";

const say = words(en, fil, es);

/** What people call a kind of document; a kind of one's own by the title that the server gives, or else its key. */
export function documentTypeName(key: string, title = titled(key)): string {
  const name = `type.${key}`;
  return name in en ? say(name as keyof typeof en) : title;
}

/** What people call a field, with its number where there are several; one of one's own by its title, or else its key. */
export function fieldName(key: string, index: number, title = key): string {
  const name = `field.${key}`;
  const known = name in en ? say(name as keyof typeof en) : title;
  return index > 1 ? `${known} ${index}` : known;
}

/** `id_card` → `Id card`. */
function titled(key: string): string {
  const text = key.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
