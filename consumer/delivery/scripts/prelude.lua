-- Shared by every script. KEYS: 1 stream, 2 later (zset), 3 later:messages (hash), 4 queued (hash), 5 dead stream, 6 fence,
--   7 when somebody was last heard of
-- A message: {key = "" or the work's identity, due = unix ms (0 = now), fields = {name, value, ...},
--   overtakes = ms from now that what is parked under its key may wait at most (absent: as long as it says)}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local GROUP = ARGV[1]
-- unpack() fails from about 8,000 values on; nothing of ours comes near this.
local MOST_TEXTS = 2000

-- Whether *id* is an entry of the stream; what somebody wrote that is no id is none.
local function stands(id)
  local entries = id and redis.pcall('XRANGE', KEYS[1], id, id)
  return entries and not entries.err and #entries == 1
end

-- The entry in the stream that stands for the work; an id whose entry is gone stands for nothing.
local function entry_of(key)
  local id = key ~= '' and redis.call('HGET', KEYS[4], key)
  return stands(id) and id or nil
end

-- The counter of tokens: 0 where it is none, or one that Lua cannot count on from (INCR would fail, or give the same token
-- twice). What the ledger has seen lifts it again.
local function last_token()
  local text = redis.pcall('GET', KEYS[6])
  local token = type(text) == 'string' and text:match('^%d+$') and tonumber(text) or 0
  return token < 2 ^ 53 and token or 0
end

local function next_token()
  local token = string.format('%.0f', last_token() + 1)
  redis.call('SET', KEYS[6], token)
  return tonumber(token)
end

-- The same work is never twice in the stream or among what is due later.
local function alive(key)
  if key == '' then return false end
  return redis.call('ZSCORE', KEYS[2], key) or entry_of(key)
end

local function park(message)
  redis.call('HSET', KEYS[3], message.key, cjson.encode(message.fields))
  redis.call('ZADD', KEYS[2], message.due, message.key)
end

-- What has no work's name waits under one of these, which is forgotten when it is due: it would stay registered for ever.
local NAMELESS = '^nameless:'

local function append(key, fields)
  local id = redis.call('XADD', KEYS[1], '*', unpack(fields))
  if key ~= '' and not key:find(NAMELESS) then redis.call('HSET', KEYS[4], key, id) end
  return id
end

-- What is parked for longer than it can have any reason to was parked by hand, or by a wrong clock.
local function hastened(message)
  local due = message.overtakes and message.key ~= '' and redis.call('ZSCORE', KEYS[2], message.key)
  if not due or tonumber(due) <= now + message.overtakes then return false end
  redis.call('ZADD', KEYS[2], now, message.key)
  return true
end

local function put(message)
  if hastened(message) then return 1 end
  if alive(message.key) then return 0 end
  if message.due > now then park(message) else append(message.key, message.fields) end
  return 1
end

local function owned(id, consumer)
  local pending = redis.call('XPENDING', KEYS[1], GROUP, id, id, 1, consumer)
  return pending[1]
end

local function renew(id, consumer)
  redis.call('XCLAIM', KEYS[1], GROUP, consumer, 0, id, 'JUSTID')
end

-- At once claimable by others: idle for longer than anybody's lease.
local function hand_back(id, consumer, lease_ms, deliveries)
  redis.call('XCLAIM', KEYS[1], GROUP, consumer, 0, id, 'IDLE', lease_ms * 10, 'RETRYCOUNT', deliveries, 'JUSTID')
end

local function unregister(key, id)
  if key ~= '' and redis.call('HGET', KEYS[4], key) == id then redis.call('HDEL', KEYS[4], key) end
end

local function remove(id)
  redis.call('XACK', KEYS[1], GROUP, id)
  redis.call('XDEL', KEYS[1], id)
end

-- One answer an item. An error is the answer of its own item alone: a script is not rolled back, so what was done for the
-- others has to be told. Redis 6.2 gives errors as text, "@user_script: 7: -READONLY You ...".
local function each(items, work)
  local answers = {}
  for index, item in ipairs(items) do
    local known, answer = pcall(work, item)
    if not known and type(answer) ~= 'table' then answer = {err = answer:match('%-(%u.*)$') or answer} end
    answers[index] = answer
  end
  return answers
end
