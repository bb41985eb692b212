/**
 * The Lua scripts by which every change is made, so that several instances may work on the same users at once. Keys
 * (all under KEYS[1], a hash tag, so that they share one slot of a cluster):
 *
 * | key                 | holds                                                                                        |
 * | ------------------- | -------------------------------------------------------------------------------------------- |
 * | `…:user:<id>`       | hash: `up` while shown as connected, `chosen` status, `seen` (ms), `c:<node>` = `sequence:sockets` |
 * | `…:node:<node>`     | sorted set: users with a `c:<node>` field by the time of its last event                      |
 * | `…:nodes`           | set: nodes that have such a sorted set                                                       |
 * | `…:leaving`         | sorted set: users without sockets by the time from which they count as offline              |
 * | `…:changes`         | sorted set: users whose visible status has changed by revision, until that has been told     |
 * | `…:revision`        | counter of changes                                                                           |
 *
 * The time is Redis's, so that instances need not agree on theirs.
 */

/** A user's record is forgotten when nothing was heard of them for so long. */
const USER_KEPT_S = 180 * 24 * 3600;

const prelude = `
local root = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function userKey(id) return root .. ':user:' .. id end
local function nodeKey(node) return root .. ':node:' .. node end

-- No revision is below the time in microseconds: they rise even over a Redis that was flushed, or that has lost its last
-- moments, whose revisions have been told.
local function markChanged(id)
  local revision = redis.call('INCR', root .. ':revision')
  local least = time[1] * 1000000 + time[2]
  if revision < least then
    revision = least
    redis.call('SET', root .. ':revision', string.format('%.0f', revision))
  end
  redis.call('ZADD', root .. ':changes', string.format('%.0f', revision), id)
end

local function hasSockets(key)
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 2) == 'c:' and not string.find(fields[i + 1], ':0$') then return true end
  end
  return false
end

local function goOffline(id)
  redis.call('ZREM', root .. ':leaving', id)
  if redis.call('HDEL', userKey(id), 'up') == 1 then markChanged(id) end
end
`;

/** ARGV: close grace in ms, then node, sequence, user id, sockets of each event. Returns how many were new. */
export const applyScript = `${prelude}
local grace = tonumber(ARGV[1])
local taken = 0
for i = 2, #ARGV, 4 do
  local node, sequence, id, sockets = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local key, field = userKey(id), 'c:' .. node
  local held = redis.call('HGET', key, field)
  local heldSequence, heldSockets
  if held then heldSequence, heldSockets = string.match(held, '^(%d+):(%d+)$') end
  if not held or tonumber(sequence) >= tonumber(heldSequence) then
    taken = taken + 1
    redis.call('HSET', key, field, sequence .. ':' .. sockets)
    redis.call('ZADD', nodeKey(node), now, id)
    redis.call('SADD', root .. ':nodes', node)
    if sockets ~= '0' or heldSockets ~= '0' then redis.call('HSET', key, 'seen', string.format('%.0f', now)) end
    redis.call('EXPIRE', key, ${USER_KEPT_S})
    if sockets ~= '0' then
      redis.call('ZREM', root .. ':leaving', id)
      if redis.call('HSETNX', key, 'up', 1) == 1 then markChanged(id) end
    elseif redis.call('HEXISTS', key, 'up') == 1 and not hasSockets(key) then
      redis.call('ZADD', root .. ':leaving', 'NX', now + grace, id)
    end
  end
end
return taken
`;

/** ARGV: user id, status; `online` takes the choice back. Returns `up`, `chosen`, `seen`. */
export const chooseScript = `${prelude}
local id, status = ARGV[1], ARGV[2]
local key = userKey(id)
local before = redis.call('HGET', key, 'chosen') or 'online'
if status == 'online' then redis.call('HDEL', key, 'chosen') else redis.call('HSET', key, 'chosen', status) end
redis.call('EXPIRE', key, ${USER_KEPT_S})
if before ~= status and redis.call('HEXISTS', key, 'up') == 1 then markChanged(id) end
return redis.call('HMGET', key, 'up', 'chosen', 'seen')
`;

/**
 * ARGV: node, age in ms, limit. Forgets connections of the node that were last announced so long ago (age 0: all of
 * them). Who has no socket elsewhere goes offline. Returns how many were forgotten.
 */
export const dropScript = `${prelude}
local node, age, limit = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local ids = redis.call('ZRANGEBYSCORE', nodeKey(node), '-inf', now - age, 'LIMIT', 0, limit)
for _, id in ipairs(ids) do
  local key, field = userKey(id), 'c:' .. node
  local held = redis.call('HGET', key, field)
  redis.call('HDEL', key, field)
  redis.call('ZREM', nodeKey(node), id)
  if held and not string.find(held, ':0$') and not hasSockets(key) then goOffline(id) end
end
if redis.call('EXISTS', nodeKey(node)) == 0 then redis.call('SREM', root .. ':nodes', node) end
return #ids
`;

/**
 * ARGV: highest revision that has been told, limit. Lets those go offline whose time has come, forgets what has been
 * told, and returns the next changes as id, revision, `up`, `chosen`, `seen` of each, oldest first.
 */
export const turnScript = `${prelude}
local told, limit = ARGV[1], tonumber(ARGV[2])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', root .. ':leaving', '-inf', now, 'LIMIT', 0, limit)) do
  redis.call('ZREM', root .. ':leaving', id)
  if not hasSockets(userKey(id)) then goOffline(id) end
end
redis.call('ZREMRANGEBYSCORE', root .. ':changes', '-inf', told)
local changes = redis.call('ZRANGE', root .. ':changes', 0, limit - 1, 'WITHSCORES')
local result = {}
for i = 1, #changes, 2 do
  local state = redis.call('HMGET', userKey(changes[i]), 'up', 'chosen', 'seen')
  for _, value in ipairs({ changes[i], changes[i + 1], state[1], state[2], state[3] }) do
    result[#result + 1] = value
  end
end
return result
`;
