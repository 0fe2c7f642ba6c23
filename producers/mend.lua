-- Looks whether a stream can take entries and hand them out, and with ARGV[2] 'mend' makes it able to again.
--
-- KEYS  1 the stream   2 a name to build its successor under   3 maintenance:queued (identity -> entry id)
--       4 where what is no stream is put aside
-- ARGV  1 how far ahead of Redis' clock an id may be, ms   2 'look' or 'mend'   3 our group   4 kept aside for so many ms
-- returns what was wrong, in words; empty = in order
--
-- Ids only grow: one XADD, XSETID or XGROUP SETID by hand with an id from the far future, and every later XADD is refused,
-- or nothing is delivered. There is no way back for a stream (XSETID may not go below what was deleted), so a successor
-- takes its place, in one step: entries keep their ids, groups their positions, and what is held its holder, idle time and
-- delivery count. Only entries with an id from the future get a new one, behind all others.
local ahead, mends, group = tonumber(ARGV[1]), ARGV[2] == 'mend', ARGV[3]
-- unpack() fails from about 8,000 values on.
local MOST_TEXTS, SOME = 2000, 500

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function by_name(row)
  local named = {}
  for i = 1, #row, 2 do named[row[i]] = row[i + 1] end
  return named
end

local function believable(id) return tonumber(id:match('^%d+')) <= now + ahead end

-- Numbers of Lua are too short for ids: texts of one length compare as ids do.
local function comparable(id)
  local ms, seq = id:match('^(%d+)%-(%d+)$')
  return ('0'):rep(20 - #ms) .. ms .. ('0'):rep(20 - #seq) .. seq
end

local function each_row(ask, work)
  local from = '-'
  while true do
    local rows = ask(from)
    for _, row in ipairs(rows) do work(row) end
    if #rows < SOME then return end
    from = '(' .. rows[#rows][1]
  end
end

local function add(id, fields)
  return redis.call('XADD', KEYS[2], id, unpack(fields, 1, math.min(#fields, MOST_TEXTS)))
end

-- Returns the last id that was kept, and the entries that need a new one.
local function copy_entries()
  local last, later = '0-0', {}
  each_row(function(from) return redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', SOME) end, function(entry)
    if believable(entry[1]) then last = add(entry[1], entry[2]) else later[#later + 1] = entry end
  end)
  return last, later
end

local function copy_group(one, last)
  local position = believable(one['last-delivered-id']) and one['last-delivered-id'] or last
  redis.call('XGROUP', 'CREATE', KEYS[2], one.name, position, 'MKSTREAM')
  each_row(function(from) return redis.call('XPENDING', KEYS[1], one.name, from, '+', SOME) end, function(held)
    if believable(held[1]) and #redis.call('XRANGE', KEYS[2], held[1], held[1]) == 1 then
      redis.call('XCLAIM', KEYS[2], one.name, held[2], 0, held[1], 'IDLE', held[3], 'RETRYCOUNT', held[4], 'FORCE', 'JUSTID')
    end
  end)
end

local function follow(moved)
  local queued = redis.pcall('HGETALL', KEYS[3])
  for i = 1, queued.err and 0 or #queued, 2 do
    if moved[queued[i + 1]] then redis.call('HSET', KEYS[3], queued[i], moved[queued[i + 1]]) end
  end
end

local function replace(groups)
  redis.call('DEL', KEYS[2])
  local last, later = copy_entries()
  for _, one in ipairs(groups) do copy_group(one, last) end
  local moved = {}
  for _, entry in ipairs(later) do moved[entry[1]] = add('*', entry[2]) end
  if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[1]) else redis.call('DEL', KEYS[1]) end
  if next(moved) then follow(moved) end
end

local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return {} end
if kind ~= 'stream' then
  if mends then
    redis.call('RENAME', KEYS[1], KEYS[4])
    redis.call('PEXPIRE', KEYS[4], ARGV[4])
  end
  return {'a ' .. kind .. ' stands under its name'}
end

local last, groups = by_name(redis.call('XINFO', 'STREAM', KEYS[1]))['last-generated-id'], {}
for i, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do groups[i] = by_name(row) end

if not believable(last) then
  if mends then replace(groups) end
  return {'its last id ' .. last .. ' is of the future: entries are refused, or get ids of no time'}
end
for _, one in ipairs(groups) do
  if one.name == group and comparable(one['last-delivered-id']) > comparable(last) then
    if mends then redis.call('XGROUP', 'SETID', KEYS[1], group, last) end
    return {'group ' .. group .. ' stands at ' .. one['last-delivered-id'] .. ', ahead of the last entry: none is delivered'}
  end
end
return {}
