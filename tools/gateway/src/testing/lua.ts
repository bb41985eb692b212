/**
 * Runs the Lua texts of kong.yml in a real Lua interpreter on a small plugin development kit, so that tests can hold
 * their effect against the stand-in's TypeScript.
 */

/* fengari ships no types; these are the few of its functions that are used here. */
type State = object;
interface Fengari {
  lua: Record<string, (state: State, ...values: unknown[]) => unknown> & { LUA_OK: number };
  lauxlib: Record<string, (state?: State, ...values: unknown[]) => unknown>;
  lualib: { luaL_openlibs(state: State): void };
  to_luastring(text: string): Uint8Array;
}
// eslint-disable-next-line @typescript-eslint/no-require-imports
const { lua, lauxlib, lualib, to_luastring } = require('fengari') as Fengari;

/** What a function of kong.yml can see and change. */
export interface LuaWorld {
  headers: Record<string, string>;
  /** `true` stands for a parameter without a value. */
  query: Record<string, string | true>;
  /** How the client came; `http` where nothing is said. */
  scheme?: string;
  response?: { status: number; source: string; headers: Record<string, string>; body: string };
}

const kit = `
local function copy(t) local c = {} for k, v in pairs(t) do c[k] = v end return c end
local plugin = {}
kong = {
  ctx = { plugin = plugin },
  request = {
    get_header = function(name) return world.headers[name:lower()] end,
    get_query_arg = function(name) return world.query[name] end,
    get_forwarded_scheme = function() return world.scheme or "http" end,
    get_query = function() return copy(world.query) end,
  },
  service = { request = {
    clear_header = function(name) world.headers[name:lower()] = nil end,
    set_header = function(name, value) world.headers[name:lower()] = value end,
    set_query = function(query) world.query = query end,
  } },
  response = {
    get_status = function() return world.response.status end,
    get_source = function() return world.response.source end,
    get_header = function(name) return world.response.headers[name:lower()] end,
    set_header = function(name, value) world.response.headers[name:lower()] = value end,
    clear_header = function(name) world.response.headers[name:lower()] = nil end,
    get_raw_body = function() return world.response.body end,
    set_raw_body = function(body) world.response.body = body end,
  },
}
ngx = { decode_base64 = decode_base64 }
package.preload["cjson.safe"] = function() return { decode = json_decode, encode = json_encode } end
`;

/** Runs the texts one after another, as the phases of one request; throws with Lua's message when one fails. */
export function runLua(texts: string[], world: LuaWorld): LuaWorld {
  const state = lauxlib.luaL_newstate!() as State;
  lualib.luaL_openlibs(state);
  define(state, 'decode_base64', (bytes) => {
    const text = latin1(bytes);
    return /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0 ? Buffer.from(text, 'base64') : null;
  });
  define(state, 'json_decode', (bytes) => {
    try {
      return { value: JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown };
    } catch {
      return null;
    }
  });
  const encode = () => {
    pushBytes(state, Buffer.from(JSON.stringify(readValue(state, 1))));
    return 1;
  };
  lua.lua_pushcfunction!(state, encode);
  lua.lua_setglobal!(state, to_luastring('json_encode'));
  pushValue(state, world);
  lua.lua_setglobal!(state, to_luastring('world'));
  for (const text of [kit, ...texts]) {
    const loaded = lauxlib.luaL_loadstring!(state, to_luastring(text)) as number;
    const failed = loaded !== lua.LUA_OK || (lua.lua_pcall!(state, 0, 0, 0) as number) !== lua.LUA_OK;
    if (failed) throw new Error(latin1(lua.lua_tostring!(state, -1) as Uint8Array));
  }
  lua.lua_getglobal!(state, to_luastring('world'));
  return readValue(state, -1) as LuaWorld;
}

/** A global function of one string. It returns bytes, a JSON value, or nil. */
function define(
  state: State,
  name: string,
  run: (bytes: Uint8Array) => Buffer | { value: unknown } | null,
): void {
  lua.lua_pushcfunction!(state, () => {
    const result = run((lua.lua_tostring!(state, 1) as Uint8Array | null) ?? new Uint8Array());
    if (Buffer.isBuffer(result)) pushBytes(state, result);
    else if (result) pushValue(state, result.value);
    else lua.lua_pushnil!(state);
    return 1;
  });
  lua.lua_setglobal!(state, to_luastring(name));
}

function pushBytes(state: State, bytes: Uint8Array): void {
  lua.lua_pushlstring!(state, new Uint8Array(bytes), bytes.length);
}

/** JSON's null becomes a light userdata, as in cjson: it is neither nil nor a string. */
function pushValue(state: State, value: unknown): void {
  if (value === undefined) lua.lua_pushnil!(state);
  else if (value === null) lua.lua_pushlightuserdata!(state, null);
  else if (typeof value === 'string') pushBytes(state, Buffer.from(value));
  else if (typeof value === 'boolean') lua.lua_pushboolean!(state, value);
  else if (typeof value === 'number') {
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) lua.lua_pushinteger!(state, value);
    else lua.lua_pushnumber!(state, value);
  } else {
    lua.lua_newtable!(state);
    for (const [key, entry] of Object.entries(value as object)) {
      if (Array.isArray(value)) lua.lua_pushinteger!(state, Number(key) + 1);
      else pushBytes(state, Buffer.from(key));
      pushValue(state, entry);
      lua.lua_settable!(state, -3);
    }
  }
}

function readValue(state: State, index: number): unknown {
  const type = lua.lua_type!(state, index) as number;
  if (type === 1) return lua.lua_toboolean!(state, index);
  if (type === 3) return lua.lua_tonumber!(state, index);
  if (type === 4) return Buffer.from(lua.lua_tostring!(state, index) as Uint8Array).toString('utf8');
  if (type !== 5) return undefined;
  const table: Record<string, unknown> = {};
  const absolute = lua.lua_absindex!(state, index) as number;
  lua.lua_pushnil!(state);
  while (lua.lua_next!(state, absolute)) {
    table[String(readValue(state, -2))] = readValue(state, -1);
    lua.lua_settop!(state, -2);
  }
  return table;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
