-- Moves what has become due into the stream. ARGV: group, limit -> {how many, key of an unreadable message, ...}
-- A message of ours has some hundred bytes, the largest of anybody six times its own where JSON escapes each; what is longer
-- is not even read.
local MOST_BYTES = 110000

local function readable(text)
  local known, fields = pcall(cjson.decode, text)
  if not known or type(fields) ~= 'table' or #fields == 0 or #fields % 2 ~= 0 or #fields > MOST_TEXTS then return nil end
  for _, field in ipairs(fields) do
    if type(field) ~= 'string' then return nil end
  end
  return fields
end

local answer = {0}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, tonumber(ARGV[2]))) do
  local text = redis.call('HSTRLEN', KEYS[3], key) <= MOST_BYTES and redis.call('HGET', KEYS[3], key)
  local fields = text and readable(text)
  if fields then
    if not entry_of(key) then append(key, fields) end
    answer[1] = answer[1] + 1
  else
    answer[#answer + 1] = key  -- one that somebody spoilt must not stop the others
  end
  redis.call('ZREM', KEYS[2], key)
  redis.call('HDEL', KEYS[3], key)
end
return answer
